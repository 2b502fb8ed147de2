/**
 * Reads LevelDB's files as they are and checks every checksum in them. LevelDB itself checks none when it reads, and drops what is damaged in
 * its log without a word when it is opened.
 *
 * After LevelDB's doc/log_format.md and doc/table_format.md.
 */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c } from './crc32c.ts';
import { unsnap } from './snappy.ts';

const logBlockBytes = 32 * 1024;
const logHeaderBytes = 7;
const footerBytes = 48;
const tableMagic = 0xdb4775248b80fb57n;
const blockTrailerBytes = 5;

export interface FileFault {
  /** Below the store's folder. */
  file: string;
  what: string;
  /** Opening the store would drop what is damaged. */
  isInLog: boolean;
}

/** Checksums of checksums would be weak, so LevelDB stores them turned. */
function storedForm(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/**
 * @param isWritten whether somebody is writing it: its last record may be half there
 * @returns undefined where all is well. A last record that is cut short is: nobody was told that it was written
 */
export function logFault(bytes: Buffer, isWritten: boolean): string | undefined {
  let at = 0;
  while (at + logHeaderBytes <= bytes.length) {
    const blockEnd = at - (at % logBlockBytes) + logBlockBytes;
    if (blockEnd - at < logHeaderBytes) {
      at = blockEnd;
      continue;
    }
    const length = bytes.readUInt16LE(at + 4);
    const type = bytes[at + 6];
    if (type === 0 && length === 0 && bytes.readUInt32LE(at) === 0) {
      // Room that was taken ahead.
      at = blockEnd;
      continue;
    }
    const end = at + logHeaderBytes + length;
    if (end > blockEnd) return `the record at byte ${at} is longer than its block`;
    if (end > bytes.length) return undefined;
    if (storedForm(crc32c(bytes.subarray(at + 6, end))) !== bytes.readUInt32LE(at)) {
      return isWritten && end === bytes.length
        ? undefined
        : `the checksum of the record at byte ${at} is wrong`;
    }
    at = end;
  }
  return undefined;
}

interface Handle {
  offset: number;
  size: number;
}

class Reader {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.at = at;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined || factor > 2 ** 49) throw new Error('a number has no end');
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  handle(): Handle {
    return { offset: this.varint(), size: this.varint() };
  }
}

/** @throws where it is not what it must be */
function blockOf(bytes: Buffer, { offset, size }: Handle): Buffer {
  const end = offset + size;
  if (end + blockTrailerBytes > bytes.length) throw new Error(`there is no block at byte ${offset}`);
  if (storedForm(crc32c(bytes.subarray(offset, end + 1))) !== bytes.readUInt32LE(end + 1))
    throw new Error(`the checksum of the block at byte ${offset} is wrong`);
  const content = bytes.subarray(offset, end);
  return bytes[end] === 1 ? unsnap(content) : content;
}

/** Where the blocks are that an index names. */
function* handlesIn(index: Buffer): Generator<Handle> {
  const restarts = index.readUInt32LE(index.length - 4);
  const end = index.length - 4 * (restarts + 1);
  const reader = new Reader(index);
  while (reader.at < end) {
    reader.varint();
    const keyBytes = reader.varint();
    const valueBytes = reader.varint();
    const value = reader.at + keyBytes;
    yield new Reader(index, value).handle();
    reader.at = value + valueBytes;
  }
}

/** @returns undefined where all is well */
export function tableFault(bytes: Buffer): string | undefined {
  try {
    const footer = bytes.length - footerBytes;
    if (footer < 0 || bytes.readBigUInt64LE(bytes.length - 8) !== tableMagic)
      return 'its end is not a table’s';
    const reader = new Reader(bytes, footer);
    const [metaIndex, index] = [reader.handle(), reader.handle()];
    for (const each of [metaIndex, index])
      for (const handle of handlesIn(blockOf(bytes, each))) blockOf(bytes, handle);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function bytesOf(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Object && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * @param isOpen whether a process has the store open: files may go away meanwhile, and one is being written
 * @param logsOnly tables hold all the data, logs at most some megabytes
 */
export async function levelFaults(folder: string, isOpen: boolean, logsOnly = false): Promise<FileFault[]> {
  const faults: FileFault[] = [];
  for (const file of (await readdir(folder)).sort()) {
    const isLog = /^(\d+\.log|MANIFEST-\d+)$/.test(file);
    if (!isLog && (logsOnly || !/^\d+\.(ldb|sst)$/.test(file))) continue;
    const bytes = await bytesOf(join(folder, file));
    if (!bytes) continue;
    const what = isLog ? logFault(bytes, isOpen) : tableFault(bytes);
    if (what !== undefined) faults.push({ file, what, isInLog: isLog });
  }
  return faults;
}
