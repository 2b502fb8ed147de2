/**
 * One queue of writes, each on disk before its promise resolves: in the journal at once, in LevelDB later, many together.
 *
 * - What is asked for in one turn of the event loop, or while a write is on its way, shares one record and its sync (group commit).
 * - A reader sees a write once it is on disk, never before: a power cut can't take back what somebody was told. Until LevelDB has it, `known` does.
 * - After a write that failed nothing more is written until the owner has opened the database and the journal again: who goes on behind a torn
 *   end loses what follows.
 */
import type { ClassicLevel } from 'classic-level';
import { type Journal, journalKey } from './journal.ts';
import { RecordBuffer, type WriteOperation } from './journal-records.ts';

export type Level = ClassicLevel<string, string>;

/** What may wait for its turn; more is refused, so that memory stays bounded. */
export interface WaitingBounds {
  writesMax: number;
  /** Of keys and texts, in UTF-16 units: one or two bytes each. The last write that is taken may go beyond. */
  charsMax: number;
}

const usualBounds: WaitingBounds = { writesMax: 10_000, charsMax: 64 * 1024 * 1024 };
/** What is longer goes into LevelDB at once: a function's code. */
const recordBytesMax = 1024 * 1024;
/** Into LevelDB at one go: handing them over takes this thread's time. */
const togetherMax = 200;

interface WaitingWrite {
  operations: readonly WriteOperation[];
  chars: number;
  resolve(): void;
  reject(error: unknown): void;
}

interface WaitingWork {
  start(): void;
  reject(error: unknown): void;
}

type Texts = Map<string, string | undefined>;

export class DurableWrites {
  readonly #level: Level;
  readonly #onFailure: (error: unknown) => void;
  readonly #record = new RecordBuffer(recordBytesMax);
  #journal: Journal;
  /** What the journal's present half holds. */
  #texts: Texts = new Map();
  /** What is on its way from the other half into LevelDB. */
  #moving: Texts = new Map();
  /** Whatever writes LevelDB, one after the other. */
  #moved: Promise<unknown> = Promise.resolve();
  readonly #bounds: WaitingBounds;
  #waiting: WaitingWrite[] = [];
  #waitingChars = 0;
  #works: WaitingWork[] = [];
  #isRunning = false;
  #running: Promise<void> | undefined;
  #isClosed = false;
  #failure: unknown;

  /** @param onFailure called once for the first write that fails; writes are refused until `resume()`. */
  constructor(
    level: Level,
    journal: Journal,
    onFailure: (error: unknown) => void,
    bounds: WaitingBounds = usualBounds,
  ) {
    this.#level = level;
    this.#journal = journal;
    this.#onFailure = onFailure;
    this.#bounds = bounds;
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** What was written to the key last, if LevelDB may not have it yet. */
  known(key: string): { text: string | undefined } | undefined {
    for (const texts of [this.#texts, this.#moving]) {
      const text = texts.get(key);
      if (text !== undefined || texts.has(key)) return { text };
    }
    return undefined;
  }

  /** Resolves once all of `operations`, and all that was written before, are on disk; the former together. */
  write(operations: readonly WriteOperation[]): Promise<void> {
    const refusal = this.refusal();
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const chars = charsOf(operations);
      this.#waiting.push({ operations, chars, resolve, reject });
      this.#waitingChars += chars;
      this.#run();
    });
  }

  /** Runs `work` on a LevelDB that has everything that was acknowledged before, and is not written meanwhile. */
  onceMoved<T>(work: () => T | Promise<T>): Promise<T> {
    const refusal = this.refusal();
    if (refusal) return Promise.reject(refusal);
    if (this.#moving.size === 0) return this.#onceMovedOn(work);
    // The queue would wait for the move that is under way, and so would the writes behind.
    return this.#moved.then(() => this.#onceMovedOn(work));
  }

  #onceMovedOn<T>(work: () => T | Promise<T>): Promise<T> {
    const refusal = this.refusal();
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const start = () => {
        this.#moved = this.#moved.then(work).then(resolve, reject);
      };
      this.#works.push({ start, reject });
      this.#run();
    });
  }

  /** Resolves when nothing is being written any more, to the journal or to LevelDB. */
  async idle(): Promise<void> {
    await this.#running;
    await this.#moved.catch(() => undefined);
  }

  /** The database was opened again after a failure, and has all that the journal had. To be called while `idle`. */
  resume(journal: Journal): void {
    this.#journal = journal;
    this.#texts = new Map();
    this.#moving = new Map();
    this.#moved = Promise.resolve();
    this.#failure = undefined;
  }

  /** Everything goes into LevelDB, or stays in the journal where that has no room. From here on writes are refused. */
  async close(): Promise<void> {
    const moved = this.#onceMovedOn(() => undefined);
    this.#isClosed = true;
    await moved.catch(() => undefined);
    await this.idle();
    this.#journal.close();
  }

  /** Why nothing can be written now. A write in the same turn of the event loop gets the same answer. */
  refusal(): Error | undefined {
    if (this.#isClosed) return new Error('The store is closed');
    if (this.#failure !== undefined) return new Error('The store failed', { cause: this.#failure });
    const { writesMax, charsMax } = this.#bounds;
    if (this.#waiting.length >= writesMax)
      return new Error(`More than ${writesMax} writes wait for the disk`);
    if (this.#waitingChars < charsMax) return undefined;
    return new Error(`Writes of more than ${charsMax} characters wait for the disk`);
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#runAll();
  }

  async #runAll(): Promise<void> {
    while (this.#waiting.length > 0 || this.#works.length > 0) {
      // Whatever else this turn of the event loop brings goes along.
      await new Promise(setImmediate);
      try {
        if (this.#waiting.length > 0) await this.#writeGroup();
        if (this.#works.length > 0) {
          await this.#moveOn();
          for (const { start } of this.#works.splice(0)) start();
        }
      } catch (error) {
        this.#fail(error);
      }
    }
    this.#isRunning = false;
  }

  #fail(error: unknown): void {
    this.#waitingChars = 0;
    for (const { reject } of [...this.#waiting.splice(0), ...this.#works.splice(0)]) reject(error);
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#onFailure(error);
  }

  async #writeGroup(): Promise<void> {
    const group = this.#takeGroup();
    try {
      if (this.#record.isEmpty) await this.#writePast(group.flatMap(({ operations }) => operations));
      else {
        const record = this.#record.finish(this.#journal.sequence + 1);
        if (!this.#journal.hasRoom(record.length)) await this.#moveOn();
        const onItsWay = this.#journal.append(record);
        if (onItsWay) await onItsWay;
        for (const { operations } of group)
          for (const { key, text } of operations) this.#texts.set(key, text);
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
      throw error;
    }
    for (const { resolve } of group) resolve();
  }

  /** As many as one record takes; one at least, which may be too long for any. */
  #takeGroup(): WaitingWrite[] {
    this.#record.begin();
    let count = 0;
    for (const { operations } of this.#waiting) {
      if (!this.#record.add(operations)) break;
      count++;
    }
    const group = this.#waiting.splice(0, Math.max(count, 1));
    for (const { chars } of group) this.#waitingChars -= chars;
    return group;
  }

  /** A write that no record has room for: a function's code. */
  async #writePast(operations: readonly WriteOperation[]): Promise<void> {
    // Steps that changed nothing: what they saw is on disk by now.
    if (operations.length === 0) return;
    await this.#moveOn();
    await this.#moved;
    await this.#level.batch(operations.map(levelOperation), { sync: true });
  }

  /** The journal goes on in its other half, and what is in this one goes into LevelDB. */
  async #moveOn(): Promise<void> {
    await this.#moved;
    // Where work waited for it, that was told, not this: what the other half holds is not in LevelDB.
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#texts.size === 0) return;
    this.#moving = this.#texts;
    this.#texts = new Map();
    this.#journal.turn();
    this.#moved = this.#move(this.#moving, this.#journal.sequence).catch((error) => {
      this.#fail(error);
      throw error;
    });
    // Whoever awaits it next is told.
    this.#moved.catch(() => undefined);
  }

  /**
   * Each step is synced: LevelDB changes its log now and then, and does not sync the old one's end by itself. A crash on the way leaves
   * `journalKey` as it was, and the next start does it all again.
   */
  async #move(texts: Texts, sequence: number): Promise<void> {
    let some: ReturnType<typeof levelOperation>[] = [];
    for (const [key, text] of texts) {
      some.push(levelOperation({ key, text }));
      if (some.length < togetherMax) continue;
      await this.#level.batch(some, { sync: true });
      some = [];
    }
    some.push(levelOperation({ key: journalKey, text: String(sequence) }));
    await this.#level.batch(some, { sync: true });
    this.#moving = new Map();
  }
}

function charsOf(operations: readonly WriteOperation[]): number {
  let chars = 0;
  for (const { key, text } of operations) chars += key.length + (text?.length ?? 0);
  return chars;
}

export function levelOperation({ key, text }: WriteOperation) {
  return text === undefined ? ({ type: 'del', key } as const) : ({ type: 'put', key, value: text } as const);
}
