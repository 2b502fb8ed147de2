/**
 * Where a write is first on disk: two files of a fixed length in LevelDB's folder, written from their start in turn. LevelDB's own log would do,
 * but for its price: it can be synced from another thread alone, and grows with each write, so that the file's length has to be synced, too.
 * What is in one of the files goes into LevelDB, of many writes to one key the last one, while the other is written
 * (durable-writes.ts); then it is free again.
 *
 * A write waits for the disk on this thread while that answers quickly: a way through another thread takes as long again. After a slow one
 * the next goes that way, then twice as many each time that a try shows the disk as slow as before: it does not hold up what else there is to do.
 * How long those take says nothing: a busy thread hears of them late.
 *
 * Which records count, LevelDB says: those after the number that it keeps under `journalKey`. They have to be there one after the other. The
 * last one may be half written: nobody was told of it.
 */

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  write,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type JournalRecord, recordsIn } from './journal-records.ts';
import { syncFolder } from './whole-file.ts';

/** Its value: the last record whose operations LevelDB has. */
export const journalKey = 'meta~journal';

/** Of each file. A start reads at most both. */
export const halfBytes = 4 * 1024 * 1024;
const halves = [0, 1] as const;
type Half = (typeof halves)[number];
const nameOf = (half: Half) => `journal-${half}`;

/** Writes through another thread at a time. */
const asideMax = 64;

const writeAside = promisify(write);

export interface Damage {
  /** The first record that is not there though later ones are. */
  sequence: number;
  last: number;
}

/** @returns the records after `after`, in their order */
export function readJournal(dir: string, after: number): { records: JournalRecord[]; damage?: Damage } {
  const records = halves
    .map((half) => join(dir, nameOf(half)))
    .flatMap((path) => (existsSync(path) ? [...recordsIn(readFileSync(path))] : []))
    .filter(({ sequence }) => sequence > after)
    .sort((a, b) => a.sequence - b.sequence);
  const at = records.findIndex(({ sequence }, index) => sequence !== after + 1 + index);
  if (at < 0) return { records };
  const damage = { sequence: after + 1 + at, last: records.at(-1)?.sequence ?? 0 };
  return { records: records.slice(0, at), damage };
}

export class Journal {
  readonly #dir: string;
  readonly #quickMs: number;
  readonly #files = new Map<Half, number>();
  #half: Half = 0;
  #position = 0;
  #sequence: number;
  /** Writes that are still to go through another thread. */
  #aside = 0;
  #nextAside = 1;

  /**
   * @param sequence of the last record that was ever written; LevelDB has them all
   * @param quickMs what a write may take that this thread waits for
   */
  constructor(dir: string, sequence: number, quickMs = 1) {
    this.#dir = dir;
    this.#sequence = sequence;
    this.#quickMs = quickMs;
  }

  /** Of the last record. */
  get sequence(): number {
    return this.#sequence;
  }

  hasRoom(bytes: number): boolean {
    return this.#position + bytes <= halfBytes;
  }

  /** From here on the other file is written, over what is in it. */
  turn(): void {
    this.#half = this.#half === 0 ? 1 : 0;
    this.#position = 0;
  }

  /** @param record of number `sequence + 1`. @returns nothing where it is on disk already */
  append(record: Buffer): Promise<void> | undefined {
    const file = this.#files.get(this.#half) ?? this.#open(this.#half);
    const at = this.#position;
    this.#position += record.length;
    this.#sequence++;
    if (this.#aside > 0) {
      this.#aside--;
      return appendAside(file, record, at);
    }
    const since = performance.now();
    for (let done = 0; done < record.length; )
      done += writeSync(file, record, done, record.length - done, at + done);
    const isQuick = performance.now() - since <= this.#quickMs;
    if (!isQuick) this.#aside = this.#nextAside;
    this.#nextAside = isQuick ? 1 : Math.min(this.#nextAside * 2, asideMax);
    return undefined;
  }

  close(): void {
    for (const file of this.#files.values()) closeSync(file);
    this.#files.clear();
  }

  /** Its whole length is on disk before the first record: from then on a write is its own bytes alone. */
  #open(half: Half): number {
    const { O_CREAT, O_RDWR, O_DSYNC } = constants;
    const path = join(this.#dir, nameOf(half));
    const file = openSync(path, O_CREAT | O_RDWR | O_DSYNC, 0o600);
    this.#files.set(half, file);
    if (fstatSync(file).size !== halfBytes) {
      const zeros = Buffer.alloc(halfBytes);
      for (let done = 0; done < halfBytes; ) done += writeSync(file, zeros, done, halfBytes - done, done);
      fsyncSync(file);
    }
    // Made by a process that was killed before it came so far, maybe.
    syncFolder(this.#dir);
    return file;
  }
}

async function appendAside(file: number, record: Buffer, at: number): Promise<void> {
  for (let done = 0; done < record.length; )
    done += (await writeAside(file, record, done, record.length - done, at + done)).bytesWritten;
}
