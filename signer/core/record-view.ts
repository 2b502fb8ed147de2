/**
 * The record as this process knows it. Every answer of the table passes here: it is judged against what was known
 * when the question was sent, adopted into the state, and, unless it bars this machine, dropped where a later write of ours has overtaken it.
 */

import type { ItemUpdate, SignRecord } from '../../protocol/sign-record.ts';
import { Refusal, type RefusalCode } from '../refusal.ts';
import { heldIn, readRecord } from './assess.ts';
import type { Clock, RecordStore } from './ports.ts';
import { type Bar, type SignerState, withSeen } from './state.ts';
import type { StateKeeper } from './state-keeper.ts';

export type Reading =
  | { kind: 'record'; record: SignRecord }
  | { kind: 'doubt'; cause: string }
  | { kind: 'trouble'; trouble: Refusal };

export type Writing =
  | { kind: 'done'; record: SignRecord }
  | { kind: 'refused' }
  | { kind: 'doubt'; cause: string };

function isBar(code: RefusalCode): code is Bar['code'] {
  return (
    code === 'record-went-back' ||
    code === 'record-conflict' ||
    code === 'foreign-signer' ||
    code === 'sealed'
  );
}

export class RecordView {
  readonly #store: RecordStore;
  readonly #keeper: StateKeeper;
  readonly #clock: Clock;
  /** Of the record. */
  readonly key: string;
  #latest: { record: SignRecord; atMs: number } | undefined;
  #trouble: Refusal | undefined;
  /** Rises with each question and each write's end: a reading asked before `#newest` tells nothing new. */
  #sequence = 0;
  /** The end of the last write, or when the newest reading was asked. */
  #newest = 0;

  constructor(store: RecordStore, keeper: StateKeeper, clock: Clock, key: string) {
    this.#store = store;
    this.#keeper = keeper;
    this.#clock = clock;
    this.key = key;
    const { bar } = keeper.state;
    if (bar) this.#trouble = new Refusal(bar.code, bar.reason);
  }

  /** The last good reading, or what the last write left. */
  get latest(): SignRecord | undefined {
    return this.#latest?.record;
  }

  /** ms since `latest` came. */
  get ageMs(): number {
    return this.#latest ? this.#clock.now() - this.#latest.atMs : Number.POSITIVE_INFINITY;
  }

  get trouble(): Refusal | undefined {
    return this.#trouble;
  }

  async read(timeoutMs: number): Promise<Reading> {
    const asked = ++this.#sequence;
    const known = this.#keeper.state;
    const outcome = await this.#store.read(this.key, timeoutMs);
    if (outcome.kind === 'doubt') return outcome;
    const isOld = asked < this.#newest;
    if (!isOld) this.#newest = asked;
    const overtaken = { kind: 'doubt', cause: 'a later answer of the table came first' } as const;
    try {
      const record = readRecord(outcome.kind === 'found' ? outcome.item : undefined, known);
      if (isOld) return overtaken;
      this.#adopt(record);
      return this.#trouble ? { kind: 'trouble', trouble: this.#trouble } : { kind: 'record', record };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // A record that went back on what was known when it was asked for did so, however late we hear of it.
      if (isOld && !isBar(error.code)) return overtaken;
      this.#meet(error);
      return { kind: 'trouble', trouble: this.#trouble ?? error };
    }
  }

  /** Writes to the record come one at a time: whoever writes holds the signer's mutex. */
  async write(update: ItemUpdate, timeoutMs: number): Promise<Writing> {
    const known = this.#keeper.state;
    const outcome = await this.#store.update(update, timeoutMs);
    this.#newest = ++this.#sequence;
    if (outcome.kind !== 'done') return outcome;
    try {
      const record = readRecord(outcome.item, known);
      this.#adopt(record);
      return { kind: 'done', record };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // The table says that it wrote, and shows something else: what it holds is for a reading to tell.
      return { kind: 'doubt', cause: error.message };
    }
  }

  /** Bars this machine from signing until it is enrolled anew. */
  bar(code: Bar['code'], trouble: Refusal): void {
    this.#trouble = trouble;
    const bar = { code, reason: trouble.message, at: new Date(this.#clock.wall()).toISOString() };
    this.#keeper.change((state): SignerState => (state.bar ? state : { ...state, bar }));
  }

  #adopt(record: SignRecord): void {
    this.#latest = { record, atMs: this.#clock.now() };
    this.#keeper.change((state) => withSeen(state, record.epoch, heldIn(record)));
    if (!this.#keeper.state.bar) this.#trouble = undefined;
  }

  #meet(trouble: Refusal): void {
    if (this.#keeper.state.bar) return;
    if (isBar(trouble.code)) this.bar(trouble.code, trouble);
    else this.#trouble = trouble;
  }
}
