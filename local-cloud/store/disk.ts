/**
 * The local cloud's disk: one LevelDB for everything, with one queue of writes (durable-writes.ts), so that shadows, registry, sessions and
 * DynamoDB's items share their syncs, and one snapshot is one moment of all.
 *
 * After a write that failed (a full disk) all requests fail until the database was closed and opened again: LevelDB would append behind the
 * torn end of its log. Each request tries that, so the cloud goes on by itself when there is room.
 */

import { ClassicLevel } from 'classic-level';
import { DurableWrites, type Level } from './durable-writes.ts';

/**
 * LevelDB's log before it is written out as a table; the default, 4 MB, is full every two seconds at 6,000 shadow updates a second, and
 * while it is written out commits wait. After a kill as much is read again at the start: a third of a second.
 */
const writeBufferSize = 32 * 1024 * 1024;

export class StoreError extends Error {
  override name = 'StoreError';
}

export interface DiskOptions {
  /** Told once a time that the disk refuses a write. */
  onFailure?(error: unknown): void;
  /** Default: yes. */
  createIfMissing?: boolean;
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

  private constructor(dir: string, level: Level, onFailure: (error: unknown) => void) {
    this.#dir = dir;
    this.level = level;
    this.writes = new DurableWrites(level, (error) => {
      onFailure(error);
      for (const listener of this.#lost) listener();
      level.close().catch(onFailure);
    });
  }

  /** @throws StoreError where the folder can't be used: no right to it, damaged, or another process has it open */
  static async open(dir: string, options: DiskOptions = {}): Promise<Disk> {
    const { createIfMissing = true, onFailure = () => undefined } = options;
    const level: Level = new ClassicLevel<string, unknown>(dir, {
      valueEncoding: 'json',
      createIfMissing,
      writeBufferSize,
    });
    await openLevel(level, dir);
    return new Disk(dir, level, onFailure);
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
    if (!this.writes.failed) return;
    this.#reopening ??= (async () => {
      await this.level.close();
      await openLevel(this.level, this.#dir);
      for (const listener of this.#reopened) await listener();
      this.writes.resume();
    })().finally(() => {
      this.#reopening = undefined;
    });
    await this.#reopening;
  }

  /** Everything that was acknowledged before the call. @throws while the disk refuses writes */
  snapshot(): DiskSnapshot {
    const snapshot = this.level.snapshot();
    return {
      entries: () => this.level.iterator<string, string>({ snapshot, valueEncoding: 'utf8' }),
      end: () => snapshot.close(),
    };
  }

  close(): Promise<void> {
    return this.level.close();
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
