import { expect, test } from '@jest/globals';
import { planRestart, restartDelayMsMax, steadyRunMs } from './restart-policy.ts';

/** Delays of a process that dies `ranMs` after each start. */
function delays(ranMs: number, times: number): number[] {
  const found: number[] = [];
  for (let restarts = 0; found.length < times; ) {
    const plan = planRestart({ ranMs, restarts });
    found.push(plan.delayMs);
    restarts = plan.restarts;
  }
  return found;
}

test('the first restart is at once, the next ones wait longer, up to a bound', () => {
  expect(delays(10, 7)).toEqual([0, 500, 1_000, 2_000, 5_000, restartDelayMsMax, restartDelayMsMax]);
});

test('a process that ran steadily is started again at once, however often it died before', () => {
  expect(delays(steadyRunMs, 4)).toEqual([0, 0, 0, 0]);
  expect(planRestart({ ranMs: steadyRunMs, restarts: 9 })).toEqual({ delayMs: 0, restarts: 1 });
});
