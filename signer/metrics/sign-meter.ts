/** Counts and histograms of one signer process, since its start. */

import type { Meter, SignStage } from '../core/meter.ts';
import { signStages } from '../core/meter.ts';
import type { SignedKind } from '../core/request.ts';

/** Upper bounds, ms: fine around a fsync and a write to DynamoDB, and up to the node's patience. */
export const bucketsMs = [
  0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 25, 50, 100, 250, 500, 1000, 2500,
] as const;

export interface Histogram {
  /** One for each of `bucketsMs`, not yet summed up, and one for what is above. */
  counts: number[];
  sumMs: number;
  count: number;
}

export class SignMeter implements Meter {
  readonly stages = new Map<SignStage, Histogram>(
    signStages.map((stage) => [
      stage,
      { counts: new Array<number>(bucketsMs.length + 1).fill(0), sumMs: 0, count: 0 },
    ]),
  );
  readonly signedBy = new Map<SignedKind, number>([
    ['proposal', 0],
    ['prevote', 0],
    ['precommit', 0],
  ]);
  readonly refusedBy = new Map<string, number>();

  stage(stage: SignStage, ms: number): void {
    const histogram = this.stages.get(stage);
    if (!histogram) return;
    const bucket = bucketsMs.findIndex((bound) => ms <= bound);
    const index = bucket < 0 ? bucketsMs.length : bucket;
    histogram.counts[index] = (histogram.counts[index] ?? 0) + 1;
    histogram.sumMs += ms;
    histogram.count += 1;
  }

  signed(kind: SignedKind): void {
    this.signedBy.set(kind, (this.signedBy.get(kind) ?? 0) + 1);
  }

  refused(code: string): void {
    this.refusedBy.set(code, (this.refusedBy.get(code) ?? 0) + 1);
  }
}
