/**
 * Sessions for aedes (its `persistence` option): subscriptions, queued QoS 1 messages and wills in memory, retained
 * messages from the store. A session lives as long as this process.
 *
 * Every answer is there at once (`Settled`), so aedes numbers, queues and sends a message in one go. With promises a
 * QoS 0 message could overtake a QoS 1 message that is being queued, and aedes would then drop the latter as a repeat
 * (it tells repeats by a counter that must rise).
 */

import { Readable } from 'node:stream';
import { FilterIndex, hasWildcard } from '../engines/topic-filter.ts';
import type { Store } from '../store/store.ts';

interface Subscription {
  topic: string;
  qos: number;
  rh?: number;
  rap?: boolean;
  nl?: boolean;
  subscriptionIdentifier?: number;
}

interface QueuedPacket {
  cmd: string;
  topic: string;
  payload: Buffer;
  qos: number;
  retain: boolean;
  dup: boolean;
  brokerId?: string;
  brokerCounter?: number;
  messageId?: number;
  properties?: object;
  messageExpiry?: number;
}

interface ClientName {
  id: string;
}

/** What is queued for one session at most; beyond it the newest message is dropped. */
const queuedMessagesMax = 1000;
const queuedBytesMax = 8 * 1024 * 1024;
/** AWS keeps a disconnected persistent session for an hour. */
const sessionKeptMs = 3600 * 1000;

/** A promise's shape for a value that is there: callbacks run at once. */
class Settled<T> {
  #value: T;
  constructor(value: T) {
    this.#value = value;
  }
  // biome-ignore lint/suspicious/noThenProperty: aedes calls `then` and `finally` on what persistence returns
  then<R>(fulfilled?: ((value: T) => R) | null): Settled<R | undefined> {
    return new Settled(fulfilled?.(this.#value));
  }
  finally(settled: () => void): Settled<T> {
    settled();
    return this;
  }
}

const done = new Settled(undefined);

interface Session {
  subscriptions: Map<string, Subscription>;
  queue: QueuedPacket[];
  queuedBytes: number;
  /** Said once a time that it fills. */
  isFull: boolean;
  /** When its MQTT 3 client left; MQTT 5 sessions are timed by aedes. */
  leftAtMs?: number;
}

export class Sessions {
  #store: Store;
  #sessions = new Map<string, Session>();
  /** Filter → client ids with a subscription of QoS 1. */
  #queueing = new FilterIndex<string>();
  #wills = new Map<string, object>();
  #granted: WeakSet<object>;
  #dropped: (clientId: string) => void;

  /**
   * @param granted subscriptions that policies let pass: aedes hands over a SUBSCRIBE's others, too
   * @param dropped told when a session's queue is full
   */
  constructor(store: Store, granted: WeakSet<object>, dropped: (clientId: string) => void) {
    this.#store = store;
    this.#granted = granted;
    this.#dropped = dropped;
  }

  // aedes asks for an async function here, and only here.
  async setup(): Promise<void> {}

  /** Retained messages are stored before their publish is acknowledged, not by aedes. */
  storeRetained(): Settled<undefined> {
    return done;
  }

  /** AWS sends no retained message to a wildcard subscription. */
  createRetainedStreamCombi(filters: string[]): Readable {
    const packets = filters
      .filter((filter) => !hasWildcard(filter))
      .flatMap((topic) => {
        const record = this.#store.retained.get(topic);
        if (!record) return [];
        const payload = Buffer.from(record.payload, 'base64');
        return [{ cmd: 'publish', topic, payload, qos: record.qos, retain: true, dup: false }];
      });
    return Readable.from(packets);
  }

  addSubscriptions({ id }: ClientName, subscriptions: Subscription[]): Settled<undefined> {
    const session = this.#open(id);
    for (const subscription of subscriptions) {
      if (!this.#granted.has(subscription)) continue;
      const { topic, qos, rh, rap, nl, subscriptionIdentifier } = subscription;
      session.subscriptions.set(topic, {
        topic,
        qos,
        ...(rh === undefined ? {} : { rh }),
        ...(rap === undefined ? {} : { rap }),
        ...(nl === undefined ? {} : { nl }),
        ...(subscriptionIdentifier === undefined ? {} : { subscriptionIdentifier }),
      });
      if (qos > 0) this.#queueing.add(topic, id);
      else this.#queueing.remove(topic, id);
    }
    return done;
  }

  removeSubscriptions({ id }: ClientName, filters: string[]): Settled<undefined> {
    const session = this.#sessions.get(id);
    for (const filter of filters) {
      this.#queueing.remove(filter, id);
      session?.subscriptions.delete(filter);
    }
    return done;
  }

  subscriptionsByClient({ id }: ClientName): Settled<Subscription[]> {
    const session = this.#sessions.get(id);
    if (session) delete session.leftAtMs;
    return new Settled([...(session?.subscriptions.values() ?? [])]);
  }

  subscriptionsByTopic(topic: string): Settled<{ clientId: string; topic: string }[]> {
    return new Settled([...this.#queueing.match(topic)].map((clientId) => ({ clientId, topic })));
  }

  cleanSubscriptions({ id }: ClientName): Settled<undefined> {
    for (const filter of this.#sessions.get(id)?.subscriptions.keys() ?? [])
      this.#queueing.remove(filter, id);
    this.#sessions.delete(id);
    return done;
  }

  outgoingEnqueue({ clientId }: { clientId: string }, packet: QueuedPacket): Settled<undefined> {
    const session = this.#open(clientId);
    if (
      session.queue.length >= queuedMessagesMax ||
      session.queuedBytes + packet.payload.length > queuedBytesMax
    ) {
      if (!session.isFull) this.#dropped(clientId);
      session.isFull = true;
      return done;
    }
    session.isFull = false;
    session.queuedBytes += packet.payload.length;
    session.queue.push({ ...packet });
    return done;
  }

  outgoingEnqueueCombi(clients: { clientId: string }[], packet: QueuedPacket): Settled<undefined> {
    for (const client of clients) this.outgoingEnqueue(client, packet);
    return done;
  }

  /** Notes the message id under which a queued packet went out. One that the bound kept out is sent all the same. */
  outgoingUpdate({ id }: ClientName, packet: QueuedPacket): Settled<undefined> {
    const queued = this.#sessions
      .get(id)
      ?.queue.find(
        (each) => each.brokerId === packet.brokerId && each.brokerCounter === packet.brokerCounter,
      );
    if (queued && packet.messageId !== undefined) queued.messageId = packet.messageId;
    return done;
  }

  outgoingClearMessageId({ id }: ClientName, packet: QueuedPacket): Settled<QueuedPacket | undefined> {
    const session = this.#sessions.get(id);
    const at = session?.queue.findIndex((each) => each.messageId === packet.messageId) ?? -1;
    if (!session || at < 0) return new Settled(undefined);
    const [acknowledged] = session.queue.splice(at, 1);
    session.queuedBytes -= acknowledged?.payload.length ?? 0;
    return new Settled(acknowledged);
  }

  /** What was sent before and not acknowledged goes out again as a repeat. */
  outgoingStream({ id }: ClientName): Readable {
    const queue = this.#sessions.get(id)?.queue ?? [];
    return Readable.from(queue.map((packet) => ({ ...packet, dup: packet.messageId !== undefined })));
  }

  putWill({ id }: ClientName, will: object): Settled<undefined> {
    this.#wills.set(id, will);
    return done;
  }

  getWill({ id }: ClientName): Settled<object | undefined> {
    return new Settled(this.#wills.get(id));
  }

  delWill({ id }: ClientName): Settled<object | undefined> {
    const will = this.#wills.get(id);
    this.#wills.delete(id);
    return new Settled(will);
  }

  /** Wills of other brokers' clients: there is no other broker. */
  streamWill(): Readable {
    return Readable.from([]);
  }

  getClientList(topic: string): Readable {
    return Readable.from(
      [...this.#sessions].filter(([, session]) => session.subscriptions.has(topic)).map(([id]) => id),
    );
  }

  /** Starts the hour after which an MQTT 3 session is forgotten. */
  left(id: string, nowMs: number): void {
    const session = this.#sessions.get(id);
    if (session) session.leftAtMs = nowMs;
  }

  forgetOld(nowMs: number): void {
    for (const [id, { leftAtMs }] of this.#sessions) {
      if (leftAtMs !== undefined && nowMs - leftAtMs > sessionKeptMs) this.cleanSubscriptions({ id });
    }
  }

  async destroy(): Promise<void> {
    this.#sessions.clear();
    this.#wills.clear();
  }

  #open(id: string): Session {
    let session = this.#sessions.get(id);
    if (!session) {
      session = { subscriptions: new Map(), queue: [], queuedBytes: 0, isFull: false };
      this.#sessions.set(id, session);
    }
    return session;
  }
}
