/** One client's connection: what it was granted, what is sent to it, and how it ends. */

import type { Duplex } from 'node:stream';
import type { IConnackPacket, IPublishPacket } from 'mqtt-packet';
import type { Message } from './message.ts';
import type { ClientPacket, WillPacket } from './packets.ts';
import type { Peer } from './peer.ts';
import type { DisconnectReason, Presence } from './presence.ts';
import { Bucket, bytesPerSecond, publishesPerSecond, storedPerSecond } from './rates.ts';
import { type ReasonCode, reasonCode } from './reason-codes.ts';
import type { Link, Session } from './session.ts';
import { PacketTooLarge, Wire } from './wire.ts';

/** AWS: unacknowledged messages of a connection, either way. */
export const inFlightMax = 100;
/** AWS: topic aliases, either way. */
export const topicAliasesMax = 8;
/** A connection with more than this not yet read by its client is cut; QoS 1 messages wait before that. */
const unreadBytesMax = 4 * 1024 * 1024;
const unreadBytesReady = 256 * 1024;
/** A client says CONNECT within this time. */
const connectMsMax = 10_000;
/** An MQTT server waits one and a half times the keep-alive [MQTT-3.1.2-22]. */
const keepAliveFactor = 1.5;

export interface ConnectionEvents {
  packet(connection: Connection, packet: ClientPacket): void;
  /** It ended. Called once, with the session still on it. */
  ended(connection: Connection, reason: DisconnectReason): void;
  /** Why a message may not be received. */
  refused(connection: Connection, act: string, name: string, why: string): void;
}

/** Buckets of one connection, where AWS's rates hold. */
interface Rates {
  publishes: Bucket;
  stored: Bucket;
  bytes: Bucket;
}

interface Acknowledgement {
  messageId: number;
  code?: ReasonCode;
  why?: string;
}

/** When a connection that is over its rate looks again. */
const throttledMs = 100;

export class Connection implements Link {
  readonly peer: Peer;
  readonly #wire: Wire;
  readonly #events: ConnectionEvents;
  readonly #nowMs: () => number;
  readonly rates: Rates | undefined;
  /** undefined until its CONNECT came. */
  version: 3 | 4 | 5 | undefined;
  session: Session | undefined;
  presence: Presence | undefined;
  will: WillPacket | undefined;
  /** 0 until CONNECT is granted. */
  keepAliveSeconds = 0;
  openedAtMs = 0;
  wantsProblems = true;
  inFlightMax = inFlightMax;
  packetBytesMax = Number.POSITIVE_INFINITY;
  /** Topics that the client gave numbers to. */
  readonly aliases = new Map<number, string>();
  /** Numbers that we gave to topics. */
  readonly #ownAliases = new Map<string, number>();
  ownAliasesMax = 0;
  shadowRequestsInFlight = 0;
  #isOpen = false;
  #isOver = false;
  /** Packets that came while CONNECT was being answered. */
  #backlog: ClientPacket[] = [];
  #isBusy = false;
  #acknowledgements: Acknowledgement[] = [];
  #lastBytes = 0;
  #throttle: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout;

  constructor(stream: Duplex, peer: Peer, events: ConnectionEvents, nowMs: () => number, hasRates: boolean) {
    this.peer = peer;
    this.#events = events;
    this.#nowMs = nowMs;
    const now = nowMs();
    this.rates = hasRates
      ? {
          publishes: new Bucket(publishesPerSecond, now),
          stored: new Bucket(storedPerSecond, now),
          bytes: new Bucket(bytesPerSecond, now),
        }
      : undefined;
    this.#timer = setTimeout(() => this.close('CLIENT_ERROR', reasonCode.protocolError), connectMsMax);
    this.#wire = new Wire(stream, {
      packet: (packet) => this.#receive(packet),
      failed: (error) => {
        events.refused(this, 'read', '', error.message);
        const code = error instanceof PacketTooLarge ? reasonCode.packetTooLarge : reasonCode.malformedPacket;
        this.close('CLIENT_ERROR', code, error.message);
      },
      closed: () => this.#end('CONNECTION_LOST'),
      drained: () => this.onReady(),
    });
  }

  /** Called when more may be sent; the broker sets it. */
  onReady: () => void = () => undefined;

  get isOver(): boolean {
    return this.#isOver;
  }

  get unacknowledged(): number {
    return this.#acknowledgements.length;
  }

  #receive(packet: ClientPacket): void {
    if (this.#isOver) return;
    if (this.#isBusy) this.#backlog.push(packet);
    else {
      this.#timer.refresh();
      this.#slowDown();
      this.#events.packet(this, packet);
    }
  }

  /** AWS: "data that exceeds the maximum throughput is delayed in processing". */
  #slowDown(): void {
    if (!this.rates || this.#throttle) return;
    const bytes = this.#wire.bytesRead - this.#lastBytes;
    this.#lastBytes = this.#wire.bytesRead;
    const waitMs = this.rates.bytes.overdraw(bytes, this.#nowMs());
    if (waitMs === 0) return;
    this.#wire.pause();
    this.#throttle = setTimeout(() => {
      this.#throttle = undefined;
      this.#wire.resume();
    }, waitMs);
  }

  /** Holds back what comes until the work is done. */
  async hold(work: Promise<void>): Promise<void> {
    this.#isBusy = true;
    this.#wire.pause();
    try {
      await work;
    } finally {
      this.#isBusy = false;
      const backlog = this.#backlog;
      this.#backlog = [];
      for (const packet of backlog) this.#receive(packet);
      if (!this.#throttle) this.#wire.resume();
    }
  }

  speak(version: 3 | 4 | 5): void {
    this.version = version;
    this.#wire.speak(version);
  }

  /** CONNECT is granted: keep-alive runs from here. */
  open(keepAliveSeconds: number): void {
    clearTimeout(this.#timer);
    this.#isOpen = true;
    this.keepAliveSeconds = keepAliveSeconds;
    this.openedAtMs = this.#nowMs();
    this.#timer = setTimeout(
      () => this.close('MQTT_KEEP_ALIVE_TIMEOUT', reasonCode.keepAliveTimeout),
      keepAliveSeconds * keepAliveFactor * 1000,
    );
  }

  connack(packet: Omit<IConnackPacket, 'cmd'>): void {
    this.#wire.send({ cmd: 'connack', ...packet });
  }

  suback(messageId: number, granted: number[]): void {
    this.#wire.send({ cmd: 'suback', messageId, granted });
  }

  unsuback(messageId: number, granted: number[]): void {
    this.#wire.send({ cmd: 'unsuback', messageId, granted });
  }

  pingresp(): void {
    this.#wire.send({ cmd: 'pingresp' });
  }

  /** Acknowledgements leave in the order of their messages. @returns what to call when this one may leave */
  expectAcknowledgement(messageId: number): (code: ReasonCode, why?: string) => void {
    const own: Acknowledgement = { messageId };
    this.#acknowledgements.push(own);
    return (code, why) => {
      own.code = code;
      if (why !== undefined) own.why = why;
      for (let first = this.#acknowledgements[0]; first?.code !== undefined; ) {
        this.#puback(first.messageId, first.code, first.why);
        this.#acknowledgements.shift();
        first = this.#acknowledgements[0];
      }
    };
  }

  #puback(messageId: number, code: ReasonCode, reasonString: string | undefined): void {
    if (this.#isOver) return;
    if (this.version !== 5) {
      if (code === reasonCode.success) this.#wire.send({ cmd: 'puback', messageId });
      return;
    }
    const properties = reasonString && this.wantsProblems ? { properties: { reasonString } } : {};
    this.#wire.send({ cmd: 'puback', messageId, reasonCode: code, ...properties });
  }

  isReady(isStored: boolean): boolean {
    if (this.#wire.unreadBytes >= unreadBytesReady) return false;
    if (!this.rates) return true;
    const now = this.#nowMs();
    if ((!isStored || this.rates.stored.take(1, now)) && this.rates.publishes.take(1, now)) return true;
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.onReady();
    }, throttledMs);
    return false;
  }

  mayReceive(topic: string): boolean {
    const why = this.peer.fault('iot:Receive', topic);
    if (why === undefined) return true;
    if (this.peer.firstRefusal(topic)) this.#events.refused(this, 'receive', topic, why);
    return false;
  }

  /** At QoS 0: what the client may not have, or is over its rate, is left out. */
  sendAtMostOnce(message: Message, retain: boolean): void {
    if (this.#isOver || !this.mayReceive(message.topic)) return;
    if (this.#wire.unreadBytes > unreadBytesMax) {
      const why = `the client does not read: ${unreadBytesMax} bytes wait for it`;
      this.#events.refused(this, 'receive', message.topic, why);
      this.#end('CONNECTION_LOST');
      this.#wire.cut();
      return;
    }
    if (this.rates && !this.rates.publishes.take(1, this.#nowMs())) return;
    this.sendMessage(message, 0, retain, 0);
  }

  /** @returns false for what is larger than the client takes */
  sendMessage(message: Message, qos: 0 | 1, retain: boolean, messageId: number): boolean {
    const packet: IPublishPacket = {
      cmd: 'publish',
      topic: message.topic,
      payload: message.payload,
      qos,
      retain,
      // AWS: "the MQTT DUP flag is not supported".
      dup: false,
      ...(qos === 0 ? {} : { messageId }),
    };
    let unsaid: string | undefined;
    if (this.version === 5) {
      packet.properties = { ...message.properties };
      if (message.expiresAtMs !== undefined) {
        const leftMs = Math.max(0, message.expiresAtMs - this.#nowMs());
        // Less the whole seconds that it waited: one that leaves at once has all that it came with (MQTT 5, 3.3.2.3.3).
        packet.properties.messageExpiryInterval = Math.ceil(leftMs / 1000);
      }
      unsaid = this.#useAlias(packet, packet.properties);
    }
    const bytes = this.#wire.encode(packet);
    // [MQTT-3.1.2-25]: left out, as if the client had had it.
    if (bytes.length > this.packetBytesMax) {
      if (unsaid !== undefined) this.#ownAliases.delete(unsaid);
      return false;
    }
    this.#wire.write(bytes);
    return true;
  }

  /** @returns the topic whose alias this packet is the first to name */
  #useAlias(packet: IPublishPacket, properties: { topicAlias?: number }): string | undefined {
    const { topic } = packet;
    const known = this.#ownAliases.get(topic);
    if (known === undefined && this.#ownAliases.size >= this.ownAliasesMax) return undefined;
    properties.topicAlias = known ?? this.#ownAliases.size + 1;
    if (known !== undefined) {
      packet.topic = '';
      return undefined;
    }
    this.#ownAliases.set(topic, properties.topicAlias);
    return topic;
  }

  /** Stops or goes on reading: the client has as much under way as it may have. */
  holdBack(isFull: boolean): void {
    if (isFull) this.#wire.pause();
    else if (!this.#isBusy && !this.#throttle) this.#wire.resume();
  }

  /** @param code MQTT 5 clients are told it; undefined where the client itself said goodbye */
  close(reason: DisconnectReason, code?: ReasonCode, reasonString?: string): void {
    if (this.#isOver) return;
    if (this.version === 5 && this.#isOpen && code !== undefined) {
      const properties = reasonString === undefined ? {} : { properties: { reasonString } };
      this.#wire.send({ cmd: 'disconnect', reasonCode: code, ...properties });
    }
    this.#end(reason);
    this.#wire.end();
  }

  #end(reason: DisconnectReason): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#throttle);
    clearTimeout(this.#retry);
    this.#backlog = [];
    this.#events.ended(this, reason);
  }
}
