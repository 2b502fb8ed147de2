import { expect, test } from '@jest/globals';
import type { Round } from '../../local-fleet/drill/judge.ts';
import { distributionOf } from './distribution.ts';
import { reportSuite, suites } from './suites.ts';

const round = (gapSeconds: number, missed: number): Round => ({
  fault: 'host',
  blockSeconds: 1.3,
  missedHeights: Array.from({ length: missed }, (_, index) => index + 1),
  secondsWithoutSignature: 2,
  gapSeconds,
  epochBefore: 1,
  epochAfter: 2,
  holderBefore: 'a',
  holderAfter: 'b',
  activeAtEnd: ['b'],
  conflicts: 0,
  evidence: 0,
  restartedBesidePilot: [],
  releasedAfterWake: 0,
  notRecovered: [],
});

test('percentiles are measured figures: the 95th of thirty is the second largest', () => {
  const each = Array.from({ length: 30 }, (_, index) => 30 - index);
  expect(distributionOf(each)).toEqual({ each, median: 15, p95: 29, max: 30 });
  expect(distributionOf([7])).toMatchObject({ median: 7, p95: 7, max: 7 });
  expect(distributionOf([])).toBeUndefined();
});

test('a suite says which bar it did not reach', () => {
  const good = Array.from({ length: 19 }, () => round(2.6, 1));
  const report = (rounds: Round[], name: 'kills' | 'slow' = 'kills') =>
    reportSuite(name, suites[name], rounds, [0, 0]).against;
  expect(report([...good, round(9, 6)])).toEqual([]);
  expect(report([...good, round(9, 6), round(9, 6)])).toEqual([
    '95th percentile of the gap in s 9, 4.5 allowed',
  ]);
  expect(report([round(3.1, 2)])).toEqual(['median gap in s 3.1, 3 allowed']);
  expect(report([...good, round(13, 2)], 'slow')).toEqual(['most blocks missed at once 2, 1 allowed']);
  expect(report([{ ...round(2.6, 1), conflicts: 1 }])).toEqual(['1 conflicting signatures']);
  expect(report([{ ...round(2.6, 1), secondsWithoutSignature: undefined }])).toHaveLength(1);
});
