/**
 * When to use a grant. Safety does not depend on it: a claim is safe at any instant. A holder that still signs
 * is relieved just after a commit, so that nothing is missed. Pure.
 */

import type { SignPosition } from '../../protocol/sign-position.ts';

/** Between two looks at the record while the holder's precommit is awaited. */
export const pollMs = 20;
export const precommitWaitMsMax = 500;
export const commitWaitMsMax = 10_000;

export interface ClaimFacts {
  /** Whether the holder still signs, as far as its beat tells; `none`: there is none, or it is this server. */
  holder: 'none' | 'alive' | 'lost';
  blockMs: number | undefined;
  grantSeenMs: number;
  /** The first commit that this node told of after the grant was seen. */
  commit: { height: number; atMs: number } | undefined;
  record: SignPosition;
  nowMs: number;
}

/** @returns ms to wait before claiming or looking again; 0: claim now. */
export function claimInMs(facts: ClaimFacts): number {
  const { holder, blockMs, grantSeenMs, commit, record, nowMs } = facts;
  if (holder !== 'alive') return 0;
  if (commit) {
    const precommitted =
      record.height > commit.height || (record.height === commit.height && record.step === 3);
    const waitMs = Math.min(precommitWaitMsMax, (blockMs ?? Number.POSITIVE_INFINITY) / 4);
    return precommitted || nowMs - commit.atMs >= waitMs ? 0 : pollMs;
  }
  const waitMs = Math.min(commitWaitMsMax, 2 * (blockMs ?? Number.POSITIVE_INFINITY));
  return Math.max(0, grantSeenMs + waitMs - nowMs);
}
