/**
 * All sessions. Persistent ones are on disk with what waits for their clients, so that they outlive this process: a
 * message is on disk before its publisher's acknowledgement, and leaves it after its receiver's.
 */

import type { Store } from '../store/store.ts';
import { type Message, messageOf, recordOf } from './message.ts';
import type { SessionRecord } from './records.ts';
import type { Router } from './router.ts';
import { type Outgoing, Session, type Subscription } from './session.ts';

/** What is queued for one session at most, and for all; beyond it the newest message is dropped. */
const queuedMessagesMax = 1000;
const queuedBytesMax = 8 * 1024 * 1024;
const queuedBytesOfAllMax = 64 * 1024 * 1024;
/** Sessions whose clients are away; beyond it one ends with its connection. */
const sessionsAwayMax = 10_000;
/** Digits of a queued message's number: keys must sort as the numbers do. */
const numberDigits = 14;

export interface SessionBookOptions {
  store: Pick<Store, 'sessions' | 'queued'>;
  router: Router;
  nowMs: () => number;
  /** A session's queue is full: newer messages are dropped until its client reads. */
  dropped(clientId: string): void;
  failed(error: unknown, clientId: string): void;
}

/** Client ids may hold any character; keys of two parts are joined by a space. */
const idKey = (id: string) => encodeURIComponent(id);

export class SessionBook {
  readonly #options: SessionBookOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #away = new Set<Session>();
  #queuedBytes = 0;
  #lastNumber = 0;

  /** Reads the sessions that an earlier process left. Their time runs from now where it ended with them connected. */
  constructor(options: SessionBookOptions) {
    this.#options = options;
    const { store, nowMs } = options;
    for (const [, { id, kind, expirySeconds, leftAtMs, subscriptions }] of store.sessions.entries()) {
      const session = new Session(id, kind, expirySeconds);
      session.leftAtMs = leftAtMs ?? nowMs();
      this.#sessions.set(id, session);
      this.#away.add(session);
      for (const { filter, qos, noLocal, retainAsPublished } of subscriptions) {
        this.#add(session, filter, qos, noLocal === true, retainAsPublished === true);
      }
    }
    for (const [diskKey, record] of store.queued.entries()) {
      const [id = '', number = ''] = diskKey.split(' ');
      this.#lastNumber = Math.max(this.#lastNumber, Number(number));
      const session = this.#sessions.get(decodeURIComponent(id));
      const outgoing = {
        message: messageOf(record, record.retain === true),
        retain: record.retain === true,
        diskKey,
      };
      if (session) this.#push(session, outgoing);
      else this.#forget(outgoing, id);
    }
  }

  find(id: string): Session | undefined {
    const session = this.#sessions.get(id);
    if (session?.endsAtMs === undefined || session.endsAtMs > this.#options.nowMs()) return session;
    void this.end(session);
    return undefined;
  }

  /** Makes a session in place of any that the client id has. */
  create(
    id: string,
    kind: 3 | 5,
    expirySeconds: number,
  ): { session: Session; stored: Promise<void> | undefined } {
    const before = this.#sessions.get(id);
    const removed = before ? this.end(before) : undefined;
    const session = new Session(id, kind, expirySeconds);
    this.#sessions.set(id, session);
    const stored = this.save(session);
    return { session, stored: removed && stored ? removed.then(() => stored) : (stored ?? removed) };
  }

  /** @returns when it is on disk; undefined where it ends with the connection, and its end is on disk already */
  save(session: Session): Promise<void> | undefined {
    if (!session.isPersistent) return undefined;
    const record: SessionRecord = {
      id: session.id,
      kind: session.kind,
      expirySeconds: session.expirySeconds,
      ...(session.leftAtMs === undefined ? {} : { leftAtMs: session.leftAtMs }),
      subscriptions: [...session.subscriptions.values()].map(
        ({ filter, qos, noLocal, retainAsPublished }) => ({
          filter,
          qos,
          ...(noLocal ? { noLocal } : {}),
          ...(retainAsPublished ? { retainAsPublished } : {}),
        }),
      ),
    };
    return this.#options.store.sessions.put(idKey(session.id), record);
  }

  /** The client is back. */
  returned(session: Session, expirySeconds: number): Promise<void> | undefined {
    session.leftAtMs = undefined;
    this.#away.delete(session);
    const wasPersistent = session.isPersistent;
    session.expirySeconds = expirySeconds;
    if (session.isPersistent) return this.save(session);
    return wasPersistent ? this.#unstore(session) : undefined;
  }

  subscribe(
    session: Session,
    filter: string,
    qos: 0 | 1,
    noLocal: boolean,
    retainAsPublished: boolean,
  ): void {
    const before = session.subscriptions.get(filter);
    if (before) Object.assign(before, { qos, noLocal, retainAsPublished });
    else this.#add(session, filter, qos, noLocal, retainAsPublished);
  }

  /** @returns whether there was one */
  unsubscribe(session: Session, filter: string): boolean {
    const subscription = session.subscriptions.get(filter);
    if (!subscription) return false;
    session.subscriptions.delete(filter);
    this.#options.router.remove(subscription);
    return true;
  }

  /**
   * Queues a QoS 1 message, and sends it if its client may have it.
   * @returns when it is on disk, where it must be
   */
  queue(session: Session, message: Message, retain: boolean): Promise<void> | undefined {
    if (!session.isPersistent && !session.link) return undefined;
    if (!this.#hasRoom(session, message.payload.length)) {
      if (!session.isFull) this.#options.dropped(session.id);
      session.isFull = true;
      return undefined;
    }
    session.isFull = false;
    const outgoing: Outgoing = { message, retain };
    let stored: Promise<void> | undefined;
    if (session.isPersistent) {
      outgoing.diskKey = `${idKey(session.id)} ${String(++this.#lastNumber).padStart(numberDigits, '0')}`;
      stored = this.#options.store.queued.put(outgoing.diskKey, {
        ...recordOf(message),
        ...(retain ? { retain } : {}),
      });
    }
    this.#push(session, outgoing);
    this.pump(session);
    return stored;
  }

  pump(session: Session): void {
    session.pump(this.#options.nowMs(), (outgoing) => this.#settle(session, outgoing));
  }

  acknowledged(session: Session, messageId: number): void {
    const outgoing = session.acknowledge(messageId);
    if (outgoing) this.#settle(session, outgoing);
    this.pump(session);
  }

  /** The client went away: the session waits for it, or ends. */
  left(session: Session): void {
    session.detach();
    if (this.#sessions.get(session.id) !== session) return;
    if (!session.isPersistent || this.#away.size >= sessionsAwayMax) return void this.end(session);
    session.leftAtMs = this.#options.nowMs();
    this.#away.add(session);
    this.save(session)?.catch((error: unknown) => this.#options.failed(error, session.id));
  }

  /** @returns when nothing of it is left on disk */
  end(session: Session): Promise<void> | undefined {
    for (const filter of [...session.subscriptions.keys()]) this.unsubscribe(session, filter);
    session.detach();
    this.#away.delete(session);
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id);
    const stored = session.isPersistent ? this.#unstore(session) : undefined;
    for (const outgoing of session.queue.splice(0)) this.#settle(session, outgoing);
    return stored;
  }

  /** Ends what has had its time. */
  sweep(): void {
    const now = this.#options.nowMs();
    for (const session of this.#away) {
      if (session.endsAtMs !== undefined && session.endsAtMs <= now) void this.end(session);
    }
  }

  #add(session: Session, filter: string, qos: 0 | 1, noLocal: boolean, retainAsPublished: boolean): void {
    const subscription: Subscription = { session, filter, qos, noLocal, retainAsPublished };
    session.subscriptions.set(filter, subscription);
    this.#options.router.add(subscription);
  }

  #hasRoom(session: Session, bytes: number): boolean {
    return (
      session.pendingCount < queuedMessagesMax &&
      session.queuedBytes + bytes <= queuedBytesMax &&
      this.#queuedBytes + bytes <= queuedBytesOfAllMax
    );
  }

  #push(session: Session, outgoing: Outgoing): void {
    const bytes = outgoing.message.payload.length;
    session.queuedBytes += bytes;
    this.#queuedBytes += bytes;
    session.queue.push(outgoing);
  }

  /** The message is over for this session: acknowledged, expired, or not allowed any more. */
  #settle(session: Session, outgoing: Outgoing): void {
    const bytes = outgoing.message.payload.length;
    session.queuedBytes -= bytes;
    this.#queuedBytes -= bytes;
    this.#forget(outgoing, session.id);
  }

  /** After a crash it may be sent again: QoS 1 is at least once. */
  #forget({ diskKey }: Outgoing, id: string): void {
    if (diskKey === undefined) return;
    this.#options.store.queued.remove(diskKey).catch((error: unknown) => this.#options.failed(error, id));
  }

  #unstore(session: Session): Promise<void> {
    const removed = this.#options.store.sessions.remove(idKey(session.id));
    removed.catch((error: unknown) => this.#options.failed(error, session.id));
    return removed;
  }
}
