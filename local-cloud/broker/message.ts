/** A message as the broker keeps and routes it, whatever protocol level it came by. */

import type { MessageProperties, MessageRecord } from './records.ts';

/** Made when somebody wants them: most of what the shadow service sends has no reader. */
export type LazyBytes = () => Buffer;

export function lazyBytes(make: LazyBytes): LazyBytes {
  let made: Buffer | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

export interface Message {
  topic: string;
  payload: Buffer;
  qos: 0 | 1;
  /** As it was published. */
  retain: boolean;
  properties?: MessageProperties;
  /** MQTT 5's Message Expiry Interval, as a point in time. */
  expiresAtMs?: number;
}

/** AWS: "the minimum MEI is 1", "the maximum message expiry interval is 604800". */
const messageExpirySecondsMin = 1;
const messageExpirySecondsMax = 7 * 24 * 3600;

/** When a message with this Message Expiry Interval ends; never where it has none. */
export function expiryOf(intervalSeconds: number | undefined, nowMs: number): { expiresAtMs?: number } {
  if (intervalSeconds === undefined) return {};
  const seconds = Math.min(Math.max(intervalSeconds, messageExpirySecondsMin), messageExpirySecondsMax);
  return { expiresAtMs: nowMs + seconds * 1000 };
}

export function isExpired({ expiresAtMs }: Message, nowMs: number): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= nowMs;
}

export function recordOf({ topic, payload, qos, expiresAtMs, properties }: Message): MessageRecord {
  const record: MessageRecord = { topic, payload: payload.toString('base64'), qos };
  if (expiresAtMs !== undefined) record.expiresAtMs = expiresAtMs;
  if (properties) {
    const { correlationData, ...rest } = properties;
    record.properties = correlationData
      ? { ...rest, correlationData: correlationData.toString('base64') }
      : rest;
  }
  return record;
}

export function messageOf(record: MessageRecord, retain: boolean): Message {
  const { topic, payload, qos, expiresAtMs, properties } = record;
  const message: Message = { topic, payload: Buffer.from(payload, 'base64'), qos, retain };
  if (expiresAtMs !== undefined) message.expiresAtMs = expiresAtMs;
  if (properties) {
    const { correlationData, ...rest } = properties;
    message.properties = correlationData
      ? { ...rest, correlationData: Buffer.from(correlationData, 'base64') }
      : rest;
  }
  return message;
}
