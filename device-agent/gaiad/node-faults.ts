/** Faults of a running node that show only together with its signer: pure. */

import type { NodeKind } from '../../protocol/names.ts';
import type { StatusResult } from './rpc.ts';

/**
 * A node that votes with another key than Beam's signer's, or at all where there is none.
 * @param address the signer's consensus address; undefined: not known yet.
 */
export function selfSigning(
  kind: NodeKind,
  underSigner: boolean,
  address: string | undefined,
  status: StatusResult | undefined,
): { address: string; text: string } | undefined {
  const info = status?.validator_info;
  if (!info || info.voting_power <= 0) return undefined;
  const own = info.address.toUpperCase();
  if (kind === 'sentry') {
    return { address: own, text: `this sentry's node holds the key of validator ${own}` };
  }
  if (!underSigner || address === undefined || own === address) return undefined;
  return { address: own, text: `its node votes as ${own}, the signer beside it as ${address}` };
}

/** How long the signer was away, and since when it is back. */
export interface SignerAbsence {
  /** Longest silence of the current absence. */
  forMs: number;
  /** Monotonic ms of its return; undefined: away, or never was. */
  backAtMs: number | undefined;
}

export const noAbsence: SignerAbsence = { forMs: 0, backAtMs: undefined };

/** Shorter absences are made up for by the node's own retries. */
const absenceMsMin = 5_000;
const stuckMsMin = 10_000;
const stuckBlocks = 5;

export function followSigner(
  absence: SignerAbsence,
  signer: { up: boolean; downForMs: number },
  nowMs: number,
): SignerAbsence {
  if (!signer.up) return { forMs: signer.downForMs, backAtMs: undefined };
  if (absence.forMs < absenceMsMin) return noAbsence;
  return { ...absence, backAtMs: absence.backAtMs ?? nowMs };
}

/**
 * A node that lost its signer retries one vote for minutes (`privval/retry_signer_client.go`: 50 tries), at its height, while the chain goes on
 * and `/status` says that it is not catching up. Started again it is back at once.
 */
export function stuckSinceSigner(
  { backAtMs }: SignerAbsence,
  node: { answered: boolean; committedAtMs: number | undefined; blockSeconds: number | undefined },
  nowMs: number,
): string | undefined {
  if (backAtMs === undefined || !node.answered) return undefined;
  if (node.committedAtMs !== undefined && node.committedAtMs > backAtMs) return undefined;
  const waitMs = Math.max(stuckMsMin, stuckBlocks * 1000 * (node.blockSeconds ?? 0));
  return nowMs - backAtMs >= waitMs ? 'it stands still since its signer was away' : undefined;
}
