import { expect, test } from '@jest/globals';
import { WriteLimit } from './write-limit.ts';

test('thirty writes of a thing in a minute; and a minute ends where the clock was set back', () => {
  let now = 3_600_000;
  const limit = new WriteLimit(() => now);
  const admitted = () => Array.from({ length: 31 }, () => limit.admits('demo_a'));
  expect(admitted()).toEqual([...Array(30).fill(true), false]);
  expect(limit.admits('demo_b')).toBe(true);
  now = 0;
  expect(admitted()).toEqual([...Array(30).fill(true), false]);
});
