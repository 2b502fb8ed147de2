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
  // Ten servers each minute: a report, and what the cloud accepted of it.
  expect(lines.find(({ what }) => what === 'status shadow: messages')?.usd).toBeCloseTo(0.876, 3);
});

test('ten servers at 6 s blocks cost 10 USD a month at most, by the periods, subscriptions and schedules that the code has', () => {
  const { validators, sentries, blockSeconds } = exampleFleet;
  expect([validators + sentries, blockSeconds]).toEqual([10, 6]);
  expect(monthlyCost(exampleFleet).usdWithAlwaysFree).toBeLessThanOrEqual(10);
});

test('what a knob changes', () => {
  const cost = (to: object) => monthlyCost({ ...exampleFleet, ...to }).usdWithAlwaysFree;
  // A message a health report; three a minute from ten servers instead of one each 10 s.
  expect(cost({ basicIngest: false }) - cost({})).toBeCloseTo(0.876, 3);
  for (const { knob, to } of knobs) expect([knob, cost(to) !== cost({})]).toEqual([knob, true]);
});
