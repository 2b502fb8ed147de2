import { expect, test } from '@jest/globals';
import { beatSeconds, exampleFleet, knobs, monthlyCost } from './model.ts';

test('the beat follows the block time within its bounds', () => {
  expect([0.5, 2.4, 6].map(beatSeconds)).toEqual([1, 1.2, 1.5]);
});

test('the parts make the sum, and what is free takes off no more than it costs', () => {
  const { lines, usd, usdWithAlwaysFree } = monthlyCost(exampleFleet);
  expect(lines.reduce((sum, line) => sum + line.usd, 0)).toBeCloseTo(usd, 9);
  expect(lines.every((line) => line.usd >= 0)).toBe(true);
  expect(usdWithAlwaysFree).toBeLessThan(usd);
  // By hand: two raises a second, a month of 2,628,000 s, 0.625 USD a million.
  expect(lines.find(({ what }) => what.includes("holder's beat"))?.usd).toBeCloseTo(3.285, 3);
});

test('Basic Ingest saves a message a health report, and rarer health and sweeps bring the fleet below the target', () => {
  const cost = (to: object) => monthlyCost({ ...exampleFleet, ...to }).usdWithAlwaysFree;
  expect(cost({ basicIngest: false }) - cost({})).toBeCloseTo(2.628, 3);
  expect(cost(knobs.find(({ knob }) => knob === 'both of these')?.to ?? {})).toBeLessThan(10);
});
