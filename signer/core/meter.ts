/** What is measured of a request: how long each of its stages took, and how it ended. */

import type { Clock } from './ports.ts';
import type { SignedKind } from './request.ts';

/**
 * `parse`: the node's message to a request. `record`: the sign record, its conditional write and what is read after it.
 * `fsync`: the state file. `sign`: the key. `journal`: the journal's line, behind the answer. `request`: a sign request's frame read to its
 * answer written, refusals too.
 */
export const signStages = ['parse', 'record', 'fsync', 'sign', 'journal', 'request'] as const;
export type SignStage = (typeof signStages)[number];

export interface Meter {
  stage(stage: SignStage, ms: number): void;
  signed(kind: SignedKind): void;
  /** @param code of the refusal; `failed`: no refusal but a fault */
  refused(code: string): void;
}

/** Measures a stage that fails, too. */
export async function timed<T>(
  meter: Meter | undefined,
  clock: Clock,
  stage: SignStage,
  work: () => Promise<T>,
): Promise<T> {
  const beganMs = clock.now();
  try {
    return await work();
  } finally {
    meter?.stage(stage, clock.now() - beganMs);
  }
}
