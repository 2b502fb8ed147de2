import { expect, test } from '@jest/globals';
import { createClockWatch } from './clock-watch.ts';

test('a jump of the clock is told once, with its length; a clock behind the last use is told at the start', () => {
  const hourMs = 3_600_000;
  const told: string[] = [];
  const log = {
    warn: (details: object, text: string) => void told.push(`${JSON.stringify(details)} ${text}`),
  };
  let wall = 1_000 * hourMs;
  let monotonic = 5_000;
  const watch = createClockWatch({ wallMs: () => wall, monotonicMs: () => monotonic, log }, wall + hourMs);
  expect(told.splice(0)).toEqual([expect.stringMatching(/"lastSeen".*clock is behind/)]);
  const pass = (ms: number, jumpMs = 0) => {
    wall += ms + jumpMs;
    monotonic += ms;
    watch.look();
  };
  pass(10_000);
  pass(600_000, 900);
  expect(told).toEqual([]);
  pass(10_000, hourMs);
  pass(10_000);
  expect(told.splice(0)).toEqual([
    expect.stringMatching(/"jumpSeconds":3601.*clock jumped.*nothing is lost/),
  ]);
  expect(watch.steadyMs()).toBe(1_000 * hourMs + 630_000);
  pass(10_000, -hourMs);
  expect(told).toEqual([expect.stringMatching(/"jumpSeconds":-3600/)]);
});
