/** Payloads of fleet provisioning, in JSON and in CBOR. */

import { decode, encode } from 'cborg';

export type PayloadFormat = 'json' | 'cbor';

/** @throws Error where the bytes are not of that format */
export function readPayload(format: PayloadFormat, payload: Uint8Array): unknown {
  if (payload.length === 0) return {};
  if (format === 'cbor') return decode(payload, { rejectDuplicateMapKeys: true });
  return JSON.parse(Buffer.from(payload).toString('utf8'));
}

export function writePayload(format: PayloadFormat, value: object): Buffer {
  return Buffer.from(format === 'cbor' ? encode(value) : JSON.stringify(value));
}
