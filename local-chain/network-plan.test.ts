import { expect, test } from '@jest/globals';
import { type HeightView, planNetwork, timingOf } from './network-plan.ts';

const timing = timingOf(2_000);
const view = (changes: Partial<HeightView>): HeightView => ({
  startAt: 10_000,
  watchingSince: 0,
  rounds: [],
  ourTurn: () => false,
  ...changes,
});

test('proposal and pause add up to the block time', () => {
  for (const blockMs of [500, 1_000, 2_000, 6_000, 10_000]) {
    const { votingMs, pauseMs } = timingOf(blockMs);
    expect(votingMs + pauseMs).toBe(blockMs);
    expect(votingMs).toBeGreaterThanOrEqual(50);
  }
});

test("another validator's turn: it proposes when the pause is over, and decides after the votes", () => {
  expect(planNetwork(view({}), timing, 9_999)).toEqual({ act: 'wait', untilMs: 10_000 });
  expect(planNetwork(view({}), timing, 10_000)).toEqual({ act: 'propose', round: 0 });
  const proposed = view({ rounds: [{ proposedAt: 10_003 }] });
  expect(planNetwork(proposed, timing, 10_004)).toEqual({ act: 'wait', untilMs: 10_203 });
  expect(planNetwork(proposed, timing, 10_203)).toEqual({ act: 'decide', round: 0 });
});

test('our turn: the others wait for our proposal, three seconds in all, then the next proposes', () => {
  const ours = { ourTurn: (round: number) => round === 0 };
  expect(planNetwork(view(ours), timing, 10_000)).toEqual({ act: 'wait', untilMs: 12_800 });
  expect(planNetwork(view(ours), timing, 12_800)).toEqual({ act: 'fail', round: 0 });
  const failed = view({ ...ours, rounds: [{ failedAt: 12_800 }] });
  expect(planNetwork(failed, timing, 12_900)).toEqual({ act: 'wait', untilMs: 13_000 });
  expect(planNetwork(failed, timing, 13_000)).toEqual({ act: 'propose', round: 1 });
  const proposed = view({ ...ours, rounds: [{ failedAt: 12_800 }, { proposedAt: 13_000 }] });
  expect(planNetwork(proposed, timing, 13_200)).toEqual({ act: 'decide', round: 1 });
});

test('a chain that was down blames nobody: the wait for our proposal begins when somebody watches', () => {
  const woken = view({ watchingSince: 500_000, ourTurn: () => true });
  expect(planNetwork(woken, timing, 500_001)).toEqual({ act: 'wait', untilMs: 502_800 });
});
