/**
 * One queue of writes into one LevelDB, each on disk (fdatasync) before its promise resolves.
 *
 * - One batch is in flight at a time; what arrives meanwhile goes in the next one (group commit). So does all that is written at one go:
 *   a batch leaves after the code that asked for its first write has come to its end.
 * - LevelDB applies a batch to what readers see only after its log is synced, so nobody ever reads a
 *   value that a power cut could take back.
 * - After a failed write nothing more is appended behind the torn end of the log: LevelDB would answer
 *   later writes, and its recovery would drop them. The owner opens the database again first.
 */
import type { ClassicLevel } from 'classic-level';

export type Level = ClassicLevel<string, unknown>;
export type WriteOperation =
  /** JSON, or with the encoding a text as it is. */
  { type: 'put'; key: string; value: unknown; valueEncoding?: 'utf8' } | { type: 'del'; key: string };

/** Writes waiting for their turn; more are refused, so that memory stays bounded. */
const waitingWritesMax = 10_000;
const batchOperationsMax = 1_000;

interface WaitingWrite {
  operations: WriteOperation[];
  resolve(): void;
  reject(error: unknown): void;
}

export class DurableWrites {
  readonly #level: Level;
  readonly #onFailure: (error: unknown) => void;
  #waiting: WaitingWrite[] = [];
  #writing = false;
  #failure: unknown;

  /** @param onFailure called once for the first write that fails; writes are refused until `resume()`. */
  constructor(level: Level, onFailure: (error: unknown) => void) {
    this.#level = level;
    this.#onFailure = onFailure;
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Resolves once all of `operations`, and all that was written before, are on disk; the former together. */
  write(operations: WriteOperation[]): Promise<void> {
    if (this.#failure !== undefined)
      return Promise.reject(new Error('The store failed', { cause: this.#failure }));
    if (this.#waiting.length >= waitingWritesMax) {
      return Promise.reject(new Error(`More than ${waitingWritesMax} writes wait for the disk`));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operations, resolve, reject });
      if (this.#writing) return;
      this.#writing = true;
      queueMicrotask(() => void this.#writeAll());
    });
  }

  /** The database was opened again after a failure. */
  resume(): void {
    this.#failure = undefined;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#level.batch(
          group.flatMap(({ operations }) => operations),
          { sync: true },
        );
        for (const { resolve } of group) resolve();
      } catch (error) {
        this.#failure = error;
        for (const { reject } of [...group, ...this.#waiting.splice(0)]) reject(error);
        this.#onFailure(error);
      }
    }
    this.#writing = false;
  }

  #takeGroup(): WaitingWrite[] {
    let operations = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      operations += waiting.operations.length;
      if (count > 0 && operations > batchOperationsMax) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}
