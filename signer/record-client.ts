/** The sign table as the guards need it, over DynamoDB's API: what an answer means, and what no answer means. */

import { fromItem, toUpdateItem, type UpdateItemInput } from '../protocol/sign-record-dynamodb.ts';
import type { ReadOutcome, RecordStore, UpdateOutcome } from './core/ports.ts';

/** The two calls that a signer may make. Both reject with DynamoDB's errors, told apart by `name`. */
export interface SignTable {
  /** Consistent. @returns undefined where there is no such item */
  getItem(key: string, signal: AbortSignal): Promise<Record<string, unknown> | undefined>;
  /** @returns the item after it */
  updateItem(input: UpdateItemInput, signal: AbortSignal): Promise<Record<string, unknown>>;
}

/** Time-outs by the clock of whoever asks; none of this retries. */
export class RecordClient implements RecordStore {
  readonly #table: SignTable;
  readonly #tableName: string;
  readonly #sleep: (ms: number, signal?: AbortSignal) => Promise<void>;

  constructor(
    table: SignTable,
    tableName: string,
    sleep: (ms: number, signal?: AbortSignal) => Promise<void>,
  ) {
    this.#table = table;
    this.#tableName = tableName;
    this.#sleep = sleep;
  }

  async read(key: string, timeoutMs: number): Promise<ReadOutcome> {
    try {
      const item = await this.#within(timeoutMs, (signal) => this.#table.getItem(key, signal));
      return item ? { kind: 'found', item: fromItem(item) } : { kind: 'absent' };
    } catch (error) {
      return { kind: 'doubt', cause: told(error) };
    }
  }

  async update(update: Parameters<RecordStore['update']>[0], timeoutMs: number): Promise<UpdateOutcome> {
    try {
      const input = toUpdateItem(this.#tableName, update);
      const item = await this.#within(timeoutMs, (signal) => this.#table.updateItem(input, signal));
      return { kind: 'done', item: fromItem(item) };
    } catch (error) {
      // Everything else, even an error that DynamoDB gives before it writes, is left to a read to settle.
      if (error instanceof Error && error.name === 'ConditionalCheckFailedException')
        return { kind: 'refused' };
      return { kind: 'doubt', cause: told(error) };
    }
  }

  /** The answer counts only in time, even where the call can't be broken off. */
  async #within<T>(timeoutMs: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const timeUp = new AbortController();
    const done = new AbortController();
    try {
      return await Promise.race([
        call(timeUp.signal),
        this.#sleep(timeoutMs, done.signal).then((): never => {
          timeUp.abort();
          throw new Error(`no answer within ${Math.round(timeoutMs)} ms`);
        }),
      ]);
    } finally {
      done.abort();
    }
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
