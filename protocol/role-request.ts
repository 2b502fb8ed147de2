/** When a standby asks for the right to sign (design, failover, detection): one rule, for the pilot and for a dry-run. Pure. */

import type { SignerStatus } from './signer-control.ts';
import type { RoleRequestEvent } from './topics.ts';

/** Commits in a row without our signature, after which a standby asks. */
export const missedInRowMin = 3;
/** The node still commits when its last block is this many block times old at most … */
const freshBlocks = 2.5;
/** … or this old: with our validator's proposal lost, the block takes 3 s longer. */
const freshMsMin = 4_000;

export interface StandbyView {
  recordEpoch: number;
  /** The holder's beat as this machine reads it. */
  beat: Pick<NonNullable<SignerStatus['beat']>, 'epoch' | 'yielded' | 'lost'> | undefined;
  /** Since the node beside committed its last block; undefined: not known. */
  sinceCommitMs: number | undefined;
  blockSeconds: number | undefined;
  catchingUp: boolean | undefined;
  /** Commits in a row, up to the last, without our validator's signature, all in this epoch. */
  missedInRow: number;
}

export type AskReason = RoleRequestEvent['reason'];

/** @returns why it asks, or undefined where it does not: the holder signs, or this node can't tell. */
export function askReason(view: StandbyView): AskReason | undefined {
  const { recordEpoch, beat, sinceCommitMs, blockSeconds, catchingUp, missedInRow } = view;
  const freshMs = Math.max(freshMsMin, freshBlocks * 1000 * (blockSeconds ?? 0));
  const commits = sinceCommitMs !== undefined && sinceCommitMs <= freshMs && catchingUp === false;
  if (!commits) return undefined;
  const ofHolder = beat?.epoch === recordEpoch ? beat : undefined;
  if (ofHolder?.yielded) return 'yielded';
  if (ofHolder?.lost) return 'beat-still';
  return missedInRow >= missedInRowMin ? 'commits-missed' : undefined;
}
