/** A standby's eye on the holder's beat. */

import { type BeatItem, beatItem, beatKey, type SignRecord } from '../../protocol/sign-record.ts';
import type { SignerStatus } from '../../protocol/signer-control.ts';
import { type BeatWatch, isLost, rosePast, stillMs, watchBeat } from './beat-watch.ts';
import type { Clock, RecordStore } from './ports.ts';

export class BeatReader {
  readonly #store: RecordStore;
  readonly #clock: Clock;
  readonly #key: string;
  #watch: BeatWatch | undefined;
  #read: { beat: BeatItem | undefined; askedMs: number } | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(store: RecordStore, clock: Clock, record: { key: string; recordId: string }) {
    this.#store = store;
    this.#clock = clock;
    this.#key = beatKey(record.key, record.recordId);
  }

  /** Reads the beat, unless it was read less than `everyMs` ago: the record is sometimes polled faster. */
  async read(timeoutMs: number, everyMs: number): Promise<void> {
    const askedMs = this.#clock.now();
    this.#read = undefined;
    if (askedMs - this.#askedMs < everyMs / 2) return;
    this.#askedMs = askedMs;
    const outcome = await this.#store.read(this.#key, timeoutMs);
    if (outcome.kind === 'doubt') return;
    const parsed = beatItem.safeParse(outcome.kind === 'found' ? outcome.item : undefined);
    this.#read = { beat: parsed.data, askedMs };
  }

  /** Counts what was just read: only a beat that was read together with the record tells anything. */
  adopt({ epoch, holder }: SignRecord): void {
    const read = this.#read;
    this.#read = undefined;
    if (!read) return;
    if (holder === '') this.#watch = undefined;
    else this.#watch = watchBeat(this.#watch, epoch, read.beat, read.askedMs, this.#clock.now());
  }

  /** Whether the holder's beat, as far as it was read, stands still for longer than this. */
  isStillFor(ms: number): boolean {
    return this.#watch !== undefined && stillMs(this.#watch) > ms;
  }

  /** Whether the holder is known to have lived later than `ms`; where no beat was read yet, it is taken to. */
  livedPast(ms: number): boolean {
    return this.#watch === undefined || rosePast(this.#watch, ms);
  }

  holder(periodMs: number): 'none' | 'alive' | 'lost' {
    if (!this.#watch) return 'alive';
    if (this.#watch.mark === '') return 'none';
    return isLost(this.#watch, periodMs) ? 'lost' : 'alive';
  }

  status(periodMs: number): SignerStatus['beat'] {
    const watch = this.#watch;
    if (!watch) return undefined;
    return {
      epoch: watch.epoch,
      mark: watch.mark,
      stillMs: Math.round(stillMs(watch)),
      readsStill: watch.readsStill,
      yielded: watch.yielded,
      lost: isLost(watch, periodMs),
    };
  }
}
