import { expect, test } from '@jest/globals';
import { describeFault, faultKinds, type Step, soakSteps } from './schedule.ts';

function take(seed: number, faults: number): Step[] {
  const steps: Step[] = [];
  let count = 0;
  for (const step of soakSteps(seed)) {
    steps.push(step);
    count += step.faults.length;
    if (count >= faults) return steps;
  }
  return steps;
}

test('a seed decides everything, another seed something else', () => {
  expect(take(7, 100)).toEqual(take(7, 100));
  expect(take(7, 100)).not.toEqual(take(8, 100));
});

test.each([1, 2, 3, 4, 5])(
  'seed %i meets every kind within one deck, and what comes alone comes alone',
  (seed) => {
    const steps = take(seed, 28);
    expect(new Set(steps.flatMap(({ faults }) => faults.map(({ kind }) => kind)))).toEqual(
      new Set(faultKinds),
    );
    for (const { faults } of take(seed, 500)) {
      const kinds = faults.map(({ kind }) => kind);
      expect(new Set(kinds).size).toBe(kinds.length);
      if (kinds.some((kind) => kind === 'clone' || kind.startsWith('record-'))) expect(kinds).toHaveLength(1);
      if (kinds.length > 1) for (const { seconds } of faults) expect(seconds).toBeLessThanOrEqual(6);
    }
  },
);

test('freezes last from 1 to 60 s, and an hour has room for 200 faults', () => {
  const steps = take(1, 2000);
  const faults = steps.flatMap((step) => step.faults);
  const freezes = faults.filter(({ kind }) => kind.startsWith('freeze-')).map(({ seconds }) => seconds);
  expect(Math.min(...freezes)).toBeGreaterThanOrEqual(1);
  expect(Math.max(...freezes)).toBeGreaterThan(50);
  expect(Math.max(...freezes)).toBeLessThanOrEqual(60);
  const lasting = (step: Step) => Math.max(...step.faults.map((fault) => fault.afterSeconds + fault.seconds));
  const perFault = steps.reduce((sum, step) => sum + lasting(step), 0) / faults.length;
  expect(perFault).toBeLessThan(6);
});

test('a fault is told in words', () => {
  const base = {
    target: 'active',
    afterSeconds: 0,
    seconds: 2.5,
    direction: 'out',
    ownNodeKey: true,
  } as const;
  const told = (['cut-cloud', 'freeze-cloud', 'clone'] as const).map((kind) =>
    describeFault({ ...base, kind }),
  );
  expect(told).toEqual([
    'cut-cloud (out) of the active for 2.5 s',
    'freeze-cloud for 2.5 s',
    'clone (own node key) of the active for 2.5 s',
  ]);
});
