/**
 * Plays the fleet's standby to the dry-run's own beat: reads record and beat as a standby's signer does, and tells by the
 * pilot's rule when it would have asked for the role. It runs beside what it watches, so it sees what DynamoDB and this
 * machine do to a beat, and not what another machine would add.
 */

import { type AskReason, askReason } from '../../protocol/role-request.ts';
import { signRecord } from '../../protocol/sign-record.ts';
import { beatPeriodMs } from '../../protocol/signer-control.ts';
import { BeatReader } from '../core/beat-reader.ts';
import type { Clock, RecordStore } from '../core/ports.ts';
import { readMsMax } from '../core/record-sign.ts';

export interface ChainNow {
  sinceCommitMs: number | undefined;
  blockMs: number | undefined;
  catchingUp: boolean;
  missedInRow: number;
}

export class StandbyEye {
  readonly #store: RecordStore;
  readonly #record: { key: string; recordId: string };
  readonly #clock: Clock;
  readonly #chain: () => ChainNow;
  readonly #onAsk: (reason: AskReason) => void;
  readonly #reader: BeatReader;
  readonly #stopping = new AbortController();
  #asked: AskReason | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(parts: {
    store: RecordStore;
    record: { key: string; recordId: string };
    clock: Clock;
    chain: () => ChainNow;
    /** Once for each time that the holder seems gone, not for each repetition of the request. */
    onAsk: (reason: AskReason) => void;
  }) {
    this.#store = parts.store;
    this.#record = parts.record;
    this.#clock = parts.clock;
    this.#chain = parts.chain;
    this.#onAsk = parts.onAsk;
    this.#reader = new BeatReader(parts.store, parts.clock, parts.record);
  }

  start(): void {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const beganMs = this.#clock.now();
      const { blockMs } = this.#chain();
      const periodMs = beatPeriodMs(blockMs === undefined ? undefined : blockMs / 1000);
      await this.#look(periodMs);
      await this.#clock.sleep(Math.max(1, periodMs / 3 - (this.#clock.now() - beganMs)), signal);
    }
  }

  async #look(periodMs: number): Promise<void> {
    const [outcome] = await Promise.all([
      this.#store.read(this.#record.key, readMsMax),
      this.#reader.read(readMsMax, periodMs / 3),
    ]);
    const record = signRecord.safeParse(outcome.kind === 'found' ? outcome.item : undefined).data;
    if (!record || this.#stopping.signal.aborted) return;
    this.#reader.adopt(record);
    const { sinceCommitMs, blockMs, catchingUp, missedInRow } = this.#chain();
    const reason = askReason({
      recordEpoch: record.epoch,
      beat: this.#reader.status(periodMs),
      sinceCommitMs,
      blockSeconds: blockMs === undefined ? undefined : blockMs / 1000,
      catchingUp,
      missedInRow,
    });
    if (reason !== undefined && this.#asked === undefined) this.#onAsk(reason);
    this.#asked = reason;
  }
}
