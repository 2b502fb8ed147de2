/**
 * A client's session: its subscriptions, and what it has not acknowledged. It may outlive the connection, and (through
 * the session book) the process.
 */

import { isExpired, type Message } from './message.ts';
import type { DisconnectReason } from './presence.ts';

export interface Subscription {
  readonly session: Session;
  readonly filter: string;
  qos: 0 | 1;
  noLocal: boolean;
  retainAsPublished: boolean;
}

/** A QoS 1 message on its way to one session. */
export interface Outgoing {
  message: Message;
  retain: boolean;
  /** Where it is on disk, for sessions that persist. */
  diskKey?: string;
}

/** What a session needs of its connection. */
export interface Link {
  /** Messages that may be unacknowledged at once. */
  readonly inFlightMax: number;
  /** @param isStored whether it waited for its client to come back. @returns whether it may be sent now */
  isReady(isStored: boolean): boolean;
  mayReceive(topic: string): boolean;
  /** @returns false for what the client does not take */
  sendMessage(message: Message, qos: 0 | 1, retain: boolean, messageId: number): boolean;
}

export class Session {
  readonly id: string;
  /** An MQTT 3 session is no MQTT 5 session, and the other way round (AWS: "cross MQTT version"). */
  readonly kind: 3 | 5;
  readonly subscriptions = new Map<string, Subscription>();
  /** What waits, in its order. */
  readonly queue: Outgoing[] = [];
  queuedBytes = 0;
  /** Said once a time that it fills. */
  isFull = false;
  /** 0 ends with the connection. */
  expirySeconds: number;
  /** When its connection ended; undefined while it has one. */
  leftAtMs: number | undefined;
  /** Why its last connection ended, where this process saw it. */
  endReason: DisconnectReason | undefined;
  link: Link | undefined;
  readonly #inFlight = new Map<number, Outgoing>();
  /** Messages that went past the queue, each with what its acknowledgement sets off. */
  readonly #direct = new Map<number, () => void>();
  #lastMessageId = 0;
  /** How many at the head of the queue waited for the client to come back. */
  #storedCount = 0;

  constructor(id: string, kind: 3 | 5, expirySeconds: number) {
    this.id = id;
    this.kind = kind;
    this.expirySeconds = expirySeconds;
  }

  get isPersistent(): boolean {
    return this.expirySeconds > 0;
  }

  /** Waiting and unacknowledged. */
  get pendingCount(): number {
    return this.queue.length + this.#inFlight.size;
  }

  /** When it is forgotten, undefined while its client is there. */
  get endsAtMs(): number | undefined {
    return this.leftAtMs === undefined ? undefined : this.leftAtMs + this.expirySeconds * 1000;
  }

  /** Sends what waits, as far as the client may have more. @param dropped sees what is not sent after all */
  pump(nowMs: number, dropped: (outgoing: Outgoing) => void): void {
    const { link } = this;
    if (!link) return;
    while (
      this.queue.length > 0 &&
      this.#inFlight.size + this.#direct.size < link.inFlightMax &&
      link.isReady(this.#storedCount > 0)
    ) {
      const outgoing = this.queue.shift();
      if (!outgoing) return;
      this.#storedCount = Math.max(0, this.#storedCount - 1);
      const { message, retain } = outgoing;
      if (isExpired(message, nowMs) || !link.mayReceive(message.topic)) {
        dropped(outgoing);
        continue;
      }
      const messageId = this.#freeMessageId();
      this.#inFlight.set(messageId, outgoing);
      if (link.sendMessage(message, 1, retain, messageId)) continue;
      this.#inFlight.delete(messageId);
      dropped(outgoing);
    }
  }

  /**
   * Sends one message past the queue and the subscriptions, once: a connection that ends has lost it.
   * @returns false where the client has as much unacknowledged as it may have, or does not take it
   */
  sendDirect(message: Message, acknowledged: () => void): boolean {
    const { link } = this;
    if (!link || this.#inFlight.size + this.#direct.size >= link.inFlightMax) return false;
    const messageId = this.#freeMessageId();
    this.#direct.set(messageId, acknowledged);
    if (link.sendMessage(message, 1, false, messageId)) return true;
    this.#direct.delete(messageId);
    return false;
  }

  acknowledge(messageId: number): Outgoing | undefined {
    const direct = this.#direct.get(messageId);
    if (direct) {
      this.#direct.delete(messageId);
      direct();
      return undefined;
    }
    const outgoing = this.#inFlight.get(messageId);
    this.#inFlight.delete(messageId);
    return outgoing;
  }

  attach(link: Link): void {
    this.link = link;
    this.#storedCount = this.queue.length;
  }

  /** The connection is over: what was not acknowledged is sent again on the next, first and in its order. */
  detach(): void {
    this.link = undefined;
    this.queue.unshift(...this.#inFlight.values());
    this.#inFlight.clear();
    this.#direct.clear();
  }

  #freeMessageId(): number {
    do {
      this.#lastMessageId = (this.#lastMessageId % 65_535) + 1;
    } while (this.#inFlight.has(this.#lastMessageId) || this.#direct.has(this.#lastMessageId));
    return this.#lastMessageId;
  }
}
