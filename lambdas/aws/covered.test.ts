import { expect, test } from '@jest/globals';
import { Covered } from './covered.ts';

test('what was received well before a read began needs no other', () => {
  const covered = new Covered();
  expect(covered.covers('demo', 0, 11_000)).toBe(false);
  covered.done('demo', 10_000);
  expect([9_000, 9_900, 11_000].map((at) => covered.covers('demo', at, 11_000))).toEqual([
    true,
    false,
    false,
  ]);
  expect(covered.covers('other', 9_000, 11_000)).toBe(false);
});

test('a read from before the clock was set back covers nothing', () => {
  const covered = new Covered();
  covered.done('demo', 3_600_000);
  expect(covered.covers('demo', 9_000, 10_000)).toBe(false);
});
