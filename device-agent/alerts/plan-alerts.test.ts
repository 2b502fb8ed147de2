import { expect, test } from '@jest/globals';
import { type AlertMemory, alertRepeatMs, planAlerts, type Trouble } from './plan-alerts.ts';

const down: Trouble = { kind: 'signer-down', severity: 'critical', text: 'no signer' };

test('a trouble is told when it begins, again while it lasts, and when it is over', () => {
  let memory: AlertMemory = {};
  const at = (nowMs: number, troubles: Trouble[]) => {
    const planned = planAlerts(troubles, memory, nowMs);
    memory = planned.memory;
    return planned.alerts.map(({ severity, text }) => `${severity}: ${text}`);
  };
  expect(at(0, [down])).toEqual(['critical: no signer']);
  expect(at(1000, [down])).toEqual([]);
  expect(at(alertRepeatMs, [down])).toEqual(['critical: no signer']);
  expect(at(alertRepeatMs + 1, [])).toEqual(['info: over: no signer']);
  expect(at(alertRepeatMs + 2, [])).toEqual([]);
});

test('a trouble that gets worse is told at once, one that is worded anew only after a while', () => {
  const told = planAlerts([{ ...down, severity: 'warning' }], {}, 0).memory;
  expect(planAlerts([down], told, 1).alerts).toHaveLength(1);
  const reworded = { ...down, severity: 'warning' as const, text: 'still no signer' };
  expect(planAlerts([reworded], told, 1000).alerts).toHaveLength(0);
  expect(planAlerts([reworded], told, 31_000).alerts).toHaveLength(1);
});
