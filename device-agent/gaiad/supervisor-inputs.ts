/** What the supervisor is told, from what the pilot sees: pure. */

import type { NodeKind } from '../../protocol/names.ts';
import type { SignerStatus } from '../../protocol/signer-control.ts';
import { blockSeconds, type ChainView } from '../chain/chain-view.ts';
import type { NodeView } from '../chain/chain-watch.ts';
import type { OverlayInput } from '../overlay/plan-overlay.ts';
import { type SignerAbsence, selfSigning, stuckSinceSigner } from './node-faults.ts';
import type { SupervisionInput } from './plan-supervision.ts';

export interface SupervisorInputs {
  desired: OverlayInput['desired'];
  run: 'running' | 'stopped';
  signer: SupervisionInput['signer'];
  /** The consensus address, where the signer told it. */
  address: string | undefined;
  node: {
    answered: boolean;
    silentMs: number;
    height: number;
    /** Committed a block within the last few block times. */
    moves: boolean;
    blockSeconds: number | undefined;
    /** It votes with a key that is not Beam's signer's: how that shows. */
    selfSigning: { address: string; text: string } | undefined;
    /** It stands still since its signer was away: the node gives up a vote's retries only after minutes. */
    stuck: string | undefined;
  };
}

/** The chain moves when its last block is this many block times old at most. */
const movingBlocks = 3;
const movingMsMin = 5_000;

export function supervisorInputs(seen: {
  kind: NodeKind;
  desired: SupervisorInputs['desired'];
  run: SupervisorInputs['run'] | undefined;
  /** Undefined where this server has none. */
  signer: { up: boolean; downForMs: number; status: SignerStatus | undefined } | undefined;
  absence: SignerAbsence;
  chain: ChainView;
  node: NodeView;
  nowMs: number;
}): SupervisorInputs {
  const { kind, desired, run, signer, absence, chain, node, nowMs } = seen;
  const { committedAtMs, height } = chain;
  const seconds = blockSeconds(chain);
  const sinceCommitMs = nowMs - (committedAtMs ?? Number.NEGATIVE_INFINITY);
  const address = signer?.status?.address;
  const answered = node.answeredAtMs !== undefined;
  return {
    desired,
    run: run ?? 'running',
    signer: signer ? { up: signer.up, downForMs: signer.downForMs } : 'none',
    address,
    node: {
      answered,
      silentMs: node.silentSinceMs === undefined ? 0 : nowMs - node.silentSinceMs,
      height,
      moves: sinceCommitMs <= Math.max(movingMsMin, movingBlocks * 1000 * (seconds ?? 0)),
      blockSeconds: seconds,
      selfSigning: selfSigning(kind, signer !== undefined, address, node.status),
      stuck: stuckSinceSigner(absence, { answered, committedAtMs, blockSeconds: seconds }, nowMs),
    },
  };
}
