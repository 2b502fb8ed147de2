/**
 * The journal of released signatures: JSON lines in `journal.jsonl`, rotated to `journal.1.jsonl` … when it is full.
 *
 * A line is on disk before its signature leaves, first in the state file beside it (`lastEntry`), then here: what is in neither was never given to
 * anybody. The other way round a line may stand for a signature that nobody took, when the process or the connection ended in between.
 * At `bytesMax` a file and `filesMax` files it holds the last 80 MB: some 230,000 signatures, three days and more of
 * 3 s blocks.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type JournalEntry, journalEntry } from '../../protocol/signer-control.ts';
import { lastEntryOf, withLastEntry } from '../../protocol/signer-state-lines.ts';
import type { Journal } from '../core/ports.ts';
import { syncFolder } from './atomic-file.ts';
import { type Disk, type DiskFile, idOf, systemDisk } from './disk.ts';

export const bytesMaxDefault = 8 * 1024 * 1024;
export const filesMax = 10;
const newestLines = 64;

const fileName = (index: number) => (index === 0 ? 'journal.jsonl' : `journal.${index}.jsonl`);

export class DiskJournal implements Journal {
  readonly #dir: string;
  readonly #bytesMax: number;
  readonly #disk: Disk;
  #file: DiskFile | undefined;
  #id = '';
  #bytes = 0;

  constructor(dir: string, bytesMax = bytesMaxDefault, disk: Disk = systemDisk) {
    this.#dir = dir;
    this.#disk = disk;
    this.#bytesMax = bytesMax;
  }

  async has(entry: JournalEntry): Promise<boolean> {
    const newest = await newestEntries(this.#dir, this.#disk);
    if (!newest.some((one) => isDeepStrictEqual(one, entry))) return false;
    // Whoever wrote it may have been killed before it was on disk.
    await (this.#file ?? (await this.#open())).sync();
    return true;
  }

  async append(entry: JournalEntry): Promise<void> {
    if (this.#file && !(await this.#isInPlace())) await this.close();
    if (this.#file && this.#bytes >= this.#bytesMax) await this.#rotate();
    const file = this.#file ?? (await this.#open());
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    try {
      await file.appendFile(line);
    } catch (error) {
      // Part of the line may stand there: opened again, the file gets its end of line, and the next entry one of its own.
      await this.close().catch(() => {});
      throw error;
    }
    this.#bytes += line.length;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  /** Whether the next process will read the file that is open: somebody may have moved it away, or deleted it to make room. */
  async #isInPlace(): Promise<boolean> {
    const there = await this.#disk.stat(join(this.#dir, fileName(0))).catch(() => undefined);
    return there !== undefined && idOf(there) === this.#id;
  }

  async #open(): Promise<DiskFile> {
    const path = join(this.#dir, fileName(0));
    // With O_SYNC an append returns once it is on disk: one turn of another thread, where a sync of its own makes it two.
    const file = await this.#disk.open(path, 'as+', 0o600);
    try {
      await this.#prepare(file);
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
    // Not before: what can't be prepared now is opened, and prepared, again.
    this.#file = file;
    return file;
  }

  async #prepare(file: DiskFile): Promise<void> {
    const found = await file.stat();
    const { size } = found;
    if (size > 0) {
      // A kill may have torn the last line: the next one must not continue it.
      const last = Buffer.alloc(1);
      await file.read(last, 0, 1, size - 1);
      if (last[0] !== 0x0a) await file.appendFile('\n');
    } else {
      await syncFolder(this.#dir, this.#disk);
    }
    this.#id = idOf(found);
    this.#bytes = size;
  }

  async #rotate(): Promise<void> {
    await this.close();
    for (let index = filesMax - 2; index >= 0; index--) {
      const from = join(this.#dir, fileName(index));
      await this.#disk
        .rename(from, join(this.#dir, fileName(index + 1)))
        .catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
        });
    }
    await syncFolder(this.#dir, this.#disk);
  }
}

/** The last entries of the two newest files of a folder's journal. */
export async function newestEntries(dir: string, disk: Disk): Promise<JournalEntry[]> {
  const texts = await Promise.all(
    [1, 0].map((index) => disk.readFile(join(dir, fileName(index)), 'utf8').catch(() => '')),
  );
  return texts.flatMap((text) =>
    text
      .split('\n')
      .slice(-newestLines)
      .flatMap((line) => parseLine(line) ?? []),
  );
}

/** Every entry of a state folder's journal, oldest first, with the one that is in its state file alone. A torn line is left out. */
export function readJournalIn(dir: string): JournalEntry[] {
  const last = lastEntryIn(dir);
  const entries: JournalEntry[] = [];
  for (let index = filesMax - 1; index >= 0; index--) {
    const path = join(dir, fileName(index));
    if (!existsSync(path)) continue;
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      const entry = parseLine(line);
      if (entry) entries.push(entry);
    }
  }
  return withLastEntry(entries, last);
}

function lastEntryIn(dir: string): JournalEntry | undefined {
  try {
    return lastEntryOf(readFileSync(join(dir, 'state.json'), 'utf8'));
  } catch {
    // Missing, or none that a signer would start on either: it says so.
    return undefined;
  }
}

function parseLine(line: string): JournalEntry | undefined {
  try {
    return journalEntry.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
