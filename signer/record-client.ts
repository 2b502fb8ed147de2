/** The sign table as the guards need it, over DynamoDB's API: what an answer means, and what no answer means. */

import { fromItem, toUpdateItem, type UpdateItemInput } from '../protocol/sign-record-dynamodb.ts';
import type { Clock, ReadOutcome, RecordStore, UpdateOutcome } from './core/ports.ts';
import { type Wakeable, Waker, within } from './core/within.ts';

/** The two calls that a signer may make. Both reject with DynamoDB's errors, told apart by `name`. */
export interface SignTable {
  /** Consistent. @returns undefined where there is no such item */
  getItem(key: string, givenUp: Wakeable): Promise<Record<string, unknown> | undefined>;
  /** @returns the item after it */
  updateItem(input: UpdateItemInput, givenUp: Wakeable): Promise<Record<string, unknown>>;
}

/** How long a read that came too late may go on: its answer is not used, its connection is. */
export const lateReadMsMax = 3000;
/** Reads that go on at once; the oldest makes room. */
export const lateReadsMax = 4;

/**
 * Time-outs by the clock of whoever asks; none of this retries. A read that is given up is not broken off at once: that
 * would end its connection, and a table too slow for a new connection and a read in one time-out would never be read again.
 */
export class RecordClient implements RecordStore {
  readonly #lateReads = new Set<Waker>();
  readonly #table: SignTable;
  readonly #tableName: string;
  readonly #sleep: Clock['sleep'];

  constructor(table: SignTable, tableName: string, sleep: Clock['sleep']) {
    this.#table = table;
    this.#tableName = tableName;
    this.#sleep = sleep;
  }

  async read(key: string, timeoutMs: number): Promise<ReadOutcome> {
    try {
      const item = await this.#within(
        timeoutMs,
        (givenUp) => this.#table.getItem(key, givenUp),
        (late, reading) => this.#letGoOn(late, reading),
      );
      return item ? { kind: 'found', item: fromItem(item) } : { kind: 'absent' };
    } catch (error) {
      return { kind: 'doubt', cause: told(error) };
    }
  }

  async update(update: Parameters<RecordStore['update']>[0], timeoutMs: number): Promise<UpdateOutcome> {
    try {
      const input = toUpdateItem(this.#tableName, update);
      const item = await this.#within(timeoutMs, (givenUp) => this.#table.updateItem(input, givenUp));
      return { kind: 'done', item: fromItem(item) };
    } catch (error) {
      // Everything else, even an error that DynamoDB gives before it writes, is left to a read to settle.
      if (error instanceof Error && error.name === 'ConditionalCheckFailedException')
        return { kind: 'refused' };
      return { kind: 'doubt', cause: told(error) };
    }
  }

  /** The answer counts only in time, even where the call can't be broken off. */
  async #within<T>(
    timeoutMs: number,
    call: (givenUp: Wakeable) => Promise<T>,
    onTimeUp: (late: Waker, calling: Promise<T>) => void = (late) => late.wake(),
  ): Promise<T> {
    const timeUp = new Waker();
    const calling = call(timeUp);
    return await within(this.#sleep, timeoutMs, calling, () => {
      onTimeUp(timeUp, calling);
      return new Error(`no answer within ${Math.round(timeoutMs)} ms`);
    });
  }

  #letGoOn(late: Waker, reading: Promise<unknown>): void {
    const ended = new Waker();
    const end = () => {
      this.#lateReads.delete(late);
      ended.wake();
    };
    this.#lateReads.add(late);
    reading.then(end, end);
    void this.#sleep(lateReadMsMax, ended).then(() => {
      if (!ended.aborted) late.wake();
    });
    if (this.#lateReads.size <= lateReadsMax) return;
    const [oldest] = this.#lateReads;
    oldest?.wake();
  }
}

function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return [error.name === 'Error' ? '' : error.name, code ?? '', error.message]
    .filter(Boolean)
    .join(' ')
    .slice(0, 200);
}
