import { expect, test } from '@jest/globals';
import { lookAgainMs, Quiet } from './quiet.ts';

const minute = 60_000;

test('a fleet in which nothing is to do is read each five minutes, one that waits for something each minute', () => {
  const quiet = new Quiet();
  expect(quiet.is('a', 0)).toBe(false);
  quiet.found('a', 10 * minute, 0);
  quiet.found('b', 10 * minute, 1);
  const readAt = (fleet: string) => [11, 12, 13, 14, 15].filter((at) => !quiet.is(fleet, at * minute + 20));
  expect([readAt('a'), readAt('b')]).toEqual([[10 + lookAgainMs / minute], [11, 12, 13, 14, 15]]);
  quiet.found('a', 11 * minute, 2);
  expect(readAt('a')).toEqual([11, 12, 13, 14, 15]);
});

test('a clock that was set back makes no fleet quiet for long', () => {
  const quiet = new Quiet();
  quiet.found('a', 1000 * minute, 0);
  expect(quiet.is('a', 999 * minute)).toBe(false);
});
