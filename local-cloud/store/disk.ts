/**
 * The local cloud's disk: one LevelDB for everything behind one journal, with one queue of writes (durable-writes.ts), so that shadows, registry,
 * sessions and DynamoDB's items share their syncs, and one snapshot is one moment of all.
 *
 * After a write that failed (a full disk) all requests fail until the database was closed and opened again: LevelDB would append behind the
 * torn end of its log. Each request tries that, so the cloud goes on by itself when there is room. What was acknowledged is in the journal
 * meanwhile.
 */

import { ClassicLevel } from 'classic-level';
import { DurableWrites, type Level, levelOperation } from './durable-writes.ts';
import { Journal, journalKey, readJournal } from './journal.ts';

/**
 * LevelDB's log before it is written out as a table; the default, 4 MB, is full with each half of the journal.
 * After a kill as much is read again at the start: a third of a second.
 */
const writeBufferSize = 32 * 1024 * 1024;
/** Of the journal, into LevelDB at one go. */
const recoveredTogether = 1000;

export class StoreError extends Error {
  override name = 'StoreError';
}

export interface DiskOptions {
  /** Told once a time that the disk refuses a write. */
  onFailure?(error: unknown): void;
  /** Default: yes. */
  createIfMissing?: boolean;
  /** Looks at LevelDB before the journal goes into it. @throws what keeps it from being opened */
  examine?(level: Level): Promise<void>;
}

/** Keys and JSON texts of one moment, in the order of keys. */
export interface DiskSnapshot {
  entries(): AsyncIterable<[string, string]>;
  end(): Promise<void>;
}

export class Disk {
  readonly level: Level;
  readonly writes: DurableWrites;
  readonly #dir: string;
  readonly #lost: (() => void)[] = [];
  readonly #reopened: (() => Promise<void>)[] = [];
  #reopening: Promise<void> | undefined;
  #isClosed = false;
  #journal: Journal;

  private constructor(dir: string, level: Level, journal: Journal, onFailure: (error: unknown) => void) {
    this.#dir = dir;
    this.level = level;
    this.#journal = journal;
    this.writes = new DurableWrites(level, journal, (error) => {
      onFailure(error);
      // LevelDB stays open until `ready`: its lock keeps others off the journal, to which a write may be on its way.
      for (const listener of this.#lost) listener();
    });
  }

  /** @throws StoreError where the folder can't be used: no right to it, damaged, or another process has it open */
  static async open(dir: string, options: DiskOptions = {}): Promise<Disk> {
    const { createIfMissing = true, onFailure = () => undefined, examine } = options;
    const level: Level = new ClassicLevel<string, string>(dir, {
      valueEncoding: 'utf8',
      createIfMissing,
      writeBufferSize,
    });
    return new Disk(dir, level, await openBoth(level, dir, examine), onFailure);
  }

  /** Its text; undefined where there is none. */
  async get(key: string): Promise<string | undefined> {
    const known = this.writes.known(key);
    return known ? known.text : this.level.get(key);
  }

  /** A write failed: what was remembered of writes that are under way is void. */
  onLost(listener: () => void): void {
    this.#lost.push(listener);
  }

  /** The database was read again from disk: what it holds may be what was, or what the failed writes would have made. */
  onReopened(listener: () => Promise<void>): void {
    this.#reopened.push(listener);
  }

  /** To be awaited before an act. @throws while the disk refuses writes */
  async ready(): Promise<void> {
    if (!this.writes.failed || this.#isClosed) return;
    this.#reopening ??= (async () => {
      await this.writes.idle();
      this.#journal.close();
      await this.level.close();
      this.#journal = await openBoth(this.level, this.#dir);
      for (const listener of this.#reopened) await listener();
      this.writes.resume(this.#journal);
    })().finally(() => {
      this.#reopening = undefined;
    });
    await this.#reopening;
  }

  /** A reader of LevelDB that has everything that was acknowledged before the call. @throws while the disk refuses writes */
  reader<T>(open: (level: Level) => T): Promise<T> {
    return this.writes.onceMoved(() => open(this.level));
  }

  /** Everything that was acknowledged before the call, of one moment. @throws while the disk refuses writes */
  async snapshot(): Promise<DiskSnapshot> {
    const snapshot = await this.reader((level) => level.snapshot());
    return {
      entries: () => this.level.iterator({ snapshot }),
      end: () => snapshot.close(),
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // Else it would be open again after it was closed.
    await this.#reopening?.catch(() => undefined);
    await this.writes.close();
    await this.level.close();
  }
}

/** @returns the journal, whose records are all in LevelDB now */
async function openBoth(level: Level, dir: string, examine?: DiskOptions['examine']): Promise<Journal> {
  await openLevel(level, dir);
  try {
    await examine?.(level);
    const after = Number((await level.get(journalKey)) ?? 0);
    if (!Number.isSafeInteger(after))
      throw new StoreError(
        `The store in ${dir} can't be opened: its ${journalKey} is no number, so nobody knows which of its journal's records count. Restore a backup (beam cloud restore).`,
      );
    const { records, damage } = readJournal(dir, after);
    if (damage)
      throw new StoreError(
        `The store in ${dir} can't be opened: of its journal record ${damage.sequence} is damaged or missing, and records up to ${damage.last} follow. ` +
          `Restore a backup (beam cloud restore). Without one: keep a copy of the folder, then remove journal-0 and journal-1 from it; all that was written after record ${after} is lost then.`,
      );
    const last = records.at(-1)?.sequence ?? after;
    const operations = records.flatMap((record) => record.operations).map(levelOperation);
    for (let at = 0; at < operations.length; at += recoveredTogether)
      await level.batch(operations.slice(at, at + recoveredTogether), { sync: true });
    if (last > after) await level.put(journalKey, String(last), { sync: true });
    return new Journal(dir, last);
  } catch (error) {
    await level.close();
    throw error;
  }
}

async function openLevel(level: Level, dir: string): Promise<void> {
  try {
    await level.open();
  } catch (error) {
    const { cause } = error as { cause?: { code?: string; message?: string } };
    const why =
      cause?.code === 'LEVEL_LOCKED'
        ? 'another process has it open: end that one, or give this one another data folder'
        : (cause?.message ?? String(error));
    throw new StoreError(`The store in ${dir} can't be opened: ${why}`, { cause: error });
  }
}
