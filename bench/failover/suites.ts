/** What is measured, how often, and what it must reach. Pure. */

import type { Fault, Round } from '../../local-fleet/drill/judge.ts';
import { type Distribution, distributionOf } from './distribution.ts';

export interface Suite {
  fault: Fault;
  times: number;
  blockSeconds: number;
  bars: { gapMedianMax?: number; gapP95Max?: number; missedEachMax?: number };
}

export const suites = {
  kills: { fault: 'host', times: 30, blockSeconds: 1.3, bars: { gapMedianMax: 3, gapP95Max: 4.5 } },
  freezes: { fault: 'freeze', times: 10, blockSeconds: 1.3, bars: { gapMedianMax: 3, gapP95Max: 4.5 } },
  slow: { fault: 'host', times: 10, blockSeconds: 6, bars: { missedEachMax: 1 } },
  switches: { fault: 'none', times: 100, blockSeconds: 1.3, bars: { missedEachMax: 0 } },
} as const satisfies Record<string, Suite>;
export type SuiteName = keyof typeof suites;

export interface SuiteReport {
  suite: SuiteName;
  fault: Fault;
  rounds: number;
  blockSeconds: number;
  /** s between our signatures on the chain around each fault, by the votes' own times. */
  gapSeconds: Distribution | undefined;
  /** s from each fault to the arrival of the first commit with a signature made after it; null: none came. */
  secondsWithoutSignature: Distribution | undefined;
  missedBlocks: number[];
  conflicts: number;
  /** The machine's load average over a minute, before and after. */
  loadAverage: [number, number];
  /** Bars that were not reached, in words; empty: all were. */
  against: string[];
}

export function reportSuite(
  suite: SuiteName,
  { fault, bars }: Suite,
  rounds: readonly Round[],
  loadAverage: [number, number],
): SuiteReport {
  const round3 = (value: number) => Math.round(value * 1000) / 1000;
  const gapSeconds = distributionOf(rounds.map((round) => round3(round.gapSeconds)));
  const without = rounds.map(({ secondsWithoutSignature }) => secondsWithoutSignature);
  const known = without.filter((value) => value !== undefined);
  const missedBlocks = rounds.map(({ missedHeights }) => missedHeights.length);
  const conflicts = Math.max(0, ...rounds.map((round) => round.conflicts + round.evidence));
  const against: string[] = [];
  if (known.length < rounds.length) against.push('no signature came again after some of them');
  if (conflicts > 0) against.push(`${conflicts} conflicting signatures`);
  const over = (what: string, value: number | undefined, max: number | undefined) => {
    if (max !== undefined && value !== undefined && value > max)
      against.push(`${what} ${value}, ${max} allowed`);
  };
  over('median gap in s', gapSeconds?.median, bars.gapMedianMax);
  over('95th percentile of the gap in s', gapSeconds?.p95, bars.gapP95Max);
  over('most blocks missed at once', Math.max(0, ...missedBlocks), bars.missedEachMax);
  return {
    suite,
    fault,
    rounds: rounds.length,
    blockSeconds: distributionOf(rounds.map((round) => round3(round.blockSeconds)))?.median ?? 0,
    gapSeconds,
    secondsWithoutSignature: distributionOf(known.map(round3)),
    missedBlocks,
    conflicts,
    loadAverage,
    against,
  };
}
