import { expect, test } from '@jest/globals';
import { Covered } from './covered.ts';

test('what was received well before a read began needs no other', () => {
  const covered = new Covered();
  expect(covered.covers('demo', 0)).toBe(false);
  covered.done('demo', 10_000);
  expect([9_000, 9_900, 11_000].map((at) => covered.covers('demo', at))).toEqual([true, false, false]);
  expect(covered.covers('other', 9_000)).toBe(false);
});
