/**
 * The journal's records as bytes. A record begins at a sector's start and is one write's or several's operations: they count together, or
 * not at all.
 *
 * Header, little-endian: magic (4 bytes), CRC-32 of all that follows up to the payload's end (4), payload's length (4), sequence number (6).
 * Payload: for each operation the key's length (4), the value's (4; `removed`: none), the key, the value, in UTF-8.
 */

import { crc32 } from 'node:zlib';

export interface WriteOperation {
  key: string;
  /** JSON; undefined: the key is removed. */
  text: string | undefined;
}

export interface JournalRecord {
  /** By one more than the record's before. */
  sequence: number;
  operations: WriteOperation[];
}

/** The smallest unit that a disk writes whole. */
const sectorBytes = 512;
/** No text in UTF-8 holds its bytes. */
const magic = 0xff4dfa4a;
const headerBytes = 18;
const crcFrom = 8;
const operationHeaderBytes = 8;
const removed = 0xffffffff;
/** Of one UTF-16 unit in UTF-8, at most. */
const bytesAUnit = 3;

/** Makes records, one at a time, in a buffer that it keeps: what `finish` returned is good until the next `begin`. */
export class RecordBuffer {
  readonly #bytes: Buffer;
  #end = headerBytes;

  constructor(bytesMax: number) {
    this.#bytes = Buffer.alloc(bytesMax);
  }

  begin(): void {
    this.#end = headerBytes;
  }

  get isEmpty(): boolean {
    return this.#end === headerBytes;
  }

  /** @returns whether there was room for all of them; if not, the record is as it was */
  add(operations: readonly WriteOperation[]): boolean {
    const before = this.#end;
    for (const { key, text } of operations) {
      if (this.#put(key, text)) continue;
      this.#end = before;
      return false;
    }
    return true;
  }

  #put(key: string, text: string | undefined): boolean {
    const bytes = this.#bytes;
    const valueLength = text?.length ?? 0;
    const start = this.#end + operationHeaderBytes;
    const room = bytes.length - start;
    if ((key.length + valueLength) * bytesAUnit > room) {
      if (Buffer.byteLength(key) + Buffer.byteLength(text ?? '') > room) return false;
    }
    const keyBytes = bytes.write(key, start);
    const valueBytes = text === undefined ? 0 : bytes.write(text, start + keyBytes);
    bytes.writeUInt32LE(keyBytes, this.#end);
    bytes.writeUInt32LE(text === undefined ? removed : valueBytes, this.#end + 4);
    this.#end = start + keyBytes + valueBytes;
    return true;
  }

  /** @returns whole sectors, the rest of the last one zero */
  finish(sequence: number): Buffer {
    const bytes = this.#bytes;
    bytes.writeUInt32LE(magic, 0);
    bytes.writeUInt32LE(this.#end - headerBytes, 8);
    bytes.writeUIntLE(sequence, 12, 6);
    bytes.writeUInt32LE(crc32(bytes.subarray(crcFrom, this.#end)), 4);
    const whole = Math.ceil(this.#end / sectorBytes) * sectorBytes;
    bytes.fill(0, this.#end, whole);
    return bytes.subarray(0, whole);
  }
}

/** Every whole record in a file's bytes, wherever it lies; what is none is passed over. */
export function* recordsIn(bytes: Buffer): Generator<JournalRecord> {
  for (let at = 0; at + headerBytes <= bytes.length; ) {
    const record = recordAt(bytes, at);
    if (record) yield record.record;
    at = Math.ceil((record?.end ?? at + 1) / sectorBytes) * sectorBytes;
  }
}

function recordAt(bytes: Buffer, at: number): { record: JournalRecord; end: number } | undefined {
  if (bytes.readUInt32LE(at) !== magic) return undefined;
  const end = at + headerBytes + bytes.readUInt32LE(at + 8);
  if (end > bytes.length) return undefined;
  if (crc32(bytes.subarray(at + crcFrom, end)) !== bytes.readUInt32LE(at + 4)) return undefined;
  const operations: WriteOperation[] = [];
  for (let from = at + headerBytes; from < end; ) {
    const keyBytes = bytes.readUInt32LE(from);
    const valueBytes = bytes.readUInt32LE(from + 4);
    const value = from + operationHeaderBytes + keyBytes;
    const key = bytes.toString('utf8', from + operationHeaderBytes, value);
    from = valueBytes === removed ? value : value + valueBytes;
    operations.push({ key, text: valueBytes === removed ? undefined : bytes.toString('utf8', value, from) });
  }
  return { record: { sequence: bytes.readUIntLE(at + 12, 6), operations }, end };
}
