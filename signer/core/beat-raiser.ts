/** The active signer's beat: it rises while the node beside asks, and yields when the node is gone. */

import { type Holding, raiseBeat } from '../../protocol/sign-record.ts';
import type { SignerStatus } from '../../protocol/signer-control.ts';
import { Mutex } from './mutex.ts';
import type { NodeWatch } from './node-watch.ts';
import type { Clock, RecordStore } from './ports.ts';

export const beatWriteMsMax = 600;

export class BeatRaiser {
  readonly #store: RecordStore;
  readonly #clock: Clock;
  readonly #watch: NodeWatch;
  readonly #recordKey: string;
  /** Beats in order: a yield is never overtaken by the beat before it. */
  readonly #writing = new Mutex();
  #count = 0;
  #last: { epoch: number; yielded: boolean; atMs: number } | undefined;

  constructor(parts: { store: RecordStore; clock: Clock; watch: NodeWatch }, recordKey: string) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#watch = parts.watch;
    this.#recordKey = recordKey;
  }

  /** `refused`: the record is at a later epoch. */
  raise(holding: Holding): Promise<'raised' | 'kept' | 'refused' | 'doubt'> {
    return this.#writing.run(async () => {
      const yielded = this.#watch.gone;
      if (!yielded && !this.#watch.asks(this.#clock.now())) return 'kept';
      if (yielded && this.#last?.yielded && this.#last.epoch === holding.epoch) return 'kept';
      this.#count += 1;
      const update = raiseBeat(this.#recordKey, holding, this.#count, yielded);
      const outcome = await this.#store.update(update, beatWriteMsMax);
      if (outcome.kind !== 'done') return outcome.kind;
      this.#last = { epoch: holding.epoch, yielded, atMs: this.#clock.now() };
      return 'raised';
    });
  }

  status(nowMs: number): SignerStatus['beat'] {
    const { epoch, yielded, atMs } = this.#last ?? { epoch: 0, yielded: false, atMs: nowMs };
    return { epoch, stillMs: Math.round(nowMs - atMs), readsStill: 0, yielded, lost: false };
  }
}
