/** The order of positions: height, then round, then step (CometBFT privval/file.go). */

import * as z from 'zod';

/** 1 proposal, 2 prevote, 3 precommit: CometBFT's `stepPropose`, `stepPrevote`, `stepPrecommit`. */
export type Step = 1 | 2 | 3;
/** Step 0 is only in a floor: everything at that height and round may still be signed. */
export const signStep = z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3)]);

export const heightMax = Number.MAX_SAFE_INTEGER;
export const roundMax = 2 ** 31 - 1;

export const signPosition = z.object({
  height: z.number().int().min(0).max(heightMax),
  round: z.number().int().min(0).max(roundMax),
  step: signStep,
});
export interface SignPosition {
  height: number;
  round: number;
  step: 0 | Step;
}

/** @returns negative where `a` comes before `b`, 0 where they are the same, positive after. */
export function comparePositions(a: SignPosition, b: SignPosition): number {
  return a.height - b.height || a.round - b.round || a.step - b.step;
}

export function laterPosition<T extends SignPosition>(a: T, b: T): T {
  return comparePositions(a, b) >= 0 ? a : b;
}

export function showPosition({ height, round, step }: SignPosition): string {
  return `${height}/${round}/${['floor', 'proposal', 'prevote', 'precommit'][step]}`;
}
