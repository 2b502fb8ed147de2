/** The thing's own messages: every one with the envelope by which a repeat is recognised. */

import { randomBytes } from 'node:crypto';
import {
  type AlertKind,
  type AlertMessage,
  type EventKind,
  type HealthMessage,
  messageBytesMax,
  type RoleRequestEvent,
  topics,
} from '../../protocol/topics.ts';
import type { Clock } from '../clock.ts';

export type Severity = AlertMessage['severity'];
type Data = NonNullable<AlertMessage['data']>;
type Envelope = 'v' | 'thing' | 'bootId' | 'seq' | 'at';

export interface OutgoingMessage {
  topic: string;
  payload: string;
}

const textCharsMax = 1000;

export class MessageMaker {
  readonly #fleet: string;
  readonly #thing: string;
  readonly #clock: Clock;
  readonly bootId = randomBytes(8).toString('hex');
  #seq = 0;

  constructor(fleet: string, thing: string, clock: Clock) {
    this.#fleet = fleet;
    this.#thing = thing;
    this.#clock = clock;
  }

  health(body: Omit<HealthMessage, Envelope>): OutgoingMessage {
    return this.#message(topics.health(this.#fleet, this.#thing), body);
  }

  roleRequest(body: Omit<RoleRequestEvent, Envelope>): OutgoingMessage {
    return this.#message(topics.event(this.#fleet, this.#thing, 'role-request'), body);
  }

  event(kind: Exclude<EventKind, 'role-request'>, detail: string, data?: Data): OutgoingMessage {
    const body = { detail: detail.slice(0, textCharsMax), ...(data && { data }) };
    return this.#message(topics.event(this.#fleet, this.#thing, kind), body);
  }

  alert(kind: AlertKind, severity: Severity, text: string, data?: Data): OutgoingMessage {
    const body = { severity, text: text.slice(0, textCharsMax), ...(data && { data }) };
    return this.#message(topics.alert(this.#fleet, this.#thing, kind), body);
  }

  #message(topic: string, body: object & { data?: Data }): OutgoingMessage {
    const envelope = {
      v: 1,
      thing: this.#thing,
      bootId: this.bootId,
      seq: this.#seq++,
      at: this.#clock.wallMs(),
    };
    const payload = JSON.stringify({ ...envelope, ...body });
    if (Buffer.byteLength(payload) <= messageBytesMax) return { topic, payload };
    // The data can be looked up on the machine; what happened must arrive.
    const { data: _, ...rest } = body;
    return { topic, payload: JSON.stringify({ ...envelope, ...rest }) };
  }
}
