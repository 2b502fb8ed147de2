/** A message as the SQL sees it. */
import type { ObjectValue, Value } from './values.ts';

export interface Message {
  /** Undefined where the bytes are no JSON. */
  payload: Value;
  raw: Buffer;
  /** Without Basic Ingest's prefix. */
  topic: string;
  clientId?: string;
  principal?: string;
  traceId: string;
  accountId: string;
  /** When the rules engine received it, ms since the epoch. */
  receivedAt: number;
  /** A random UUID. */
  newUuid(): string;
  /** Uniform in [0, 1). */
  random(): number;
  /** The shadow's document, as its get answers; undefined where there is none. */
  getThingShadow?(thing: string, shadow: string | undefined): ObjectValue | undefined;
}

/** @returns undefined where the bytes are not UTF-8, or not JSON */
export function parsePayload(raw: Buffer): Value {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw));
  } catch {
    return undefined;
  }
}
