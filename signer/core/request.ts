/** A node's request as the guards see it: a position, a block, and the bytes that a signature would be over. */

import { create } from '@bufbuild/protobuf';
import type { SignPosition } from '../../protocol/sign-position.ts';
import type { JournalEntry } from '../../protocol/signer-control.ts';
import { type BlockID, type Timestamp, TimestampSchema } from '../privval/gen/types_pb.ts';
import type { CheckedProposal, CheckedVote } from '../privval/messages.ts';
import {
  isNilBlockId,
  proposalSignBytes,
  voteExtensionSignBytes,
  voteSignBytes,
} from '../privval/sign-bytes.ts';
import { signedType } from '../privval/signed-types.ts';
import { Refusal } from '../refusal.ts';
import type { HeldPosition } from './state.ts';

export type SignedKind = JournalEntry['type'];
const stepOfKind = { proposal: 1, prevote: 2, precommit: 3 } as const;
const kindOfStep = { 1: 'proposal', 2: 'prevote', 3: 'precommit' } as const;

/** Of a journal's entry. */
export function positionOf({ height, round, type }: JournalEntry): SignPosition {
  return { height, round, step: stepOfKind[type] };
}

export interface SignRequest {
  chainId: string;
  kind: SignedKind;
  position: SignPosition & { step: 1 | 2 | 3 };
  /** `blockIdText`; empty for nil. */
  blockId: string;
  /** As the node gave it. */
  time: Timestamp;
  /** What is held beside the bytes: a vote's time as `timestampText`; empty for a proposal. */
  timestamp: string;
  /** The validator's address as the node believes it, upper-case hex; empty where the message has none. */
  validatorAddress: string;
  /** The canonical sign bytes, were the held timestamp this one; undefined where it can't be. */
  signBytesAt(timestamp: string): Uint8Array | undefined;
  /** Canonical sign bytes of the vote extension: on non-nil precommits alone. */
  extensionSignBytes?: Uint8Array | undefined;
}

/** The whole BlockID as text: hash, number of parts, hash of the parts; empty for nil. */
export function blockIdText(blockId: BlockID | undefined): string {
  if (blockId === undefined || isNilBlockId(blockId)) return '';
  const hex = (bytes: Uint8Array | undefined) =>
    Buffer.from(bytes ?? [])
      .toString('hex')
      .toUpperCase();
  return `${hex(blockId.hash)}:${blockId.partSetHeader?.total ?? 0}:${hex(blockId.partSetHeader?.hash)}`;
}

export function timestampText({ seconds, nanos }: Timestamp): string {
  return `${seconds}.${String(nanos).padStart(9, '0')}`;
}

/** @returns undefined where the text is not one that `timestampText` wrote. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const match = /^(-?\d{1,15})\.(\d{9})$/.exec(text);
  return match?.[1] && match[2]
    ? create(TimestampSchema, { seconds: BigInt(match[1]), nanos: Number(match[2]) })
    : undefined;
}

/** @throws Refusal where an extension stands on anything but a non-nil precommit (CometBFT privval/file.go). */
export function voteRequest(chainId: string, vote: CheckedVote, skipExtension = false): SignRequest {
  const step = vote.type === signedType.precommit ? 3 : 2;
  const position = { height: Number(vote.height), round: vote.round, step } as const;
  const extends_ = step === 3 && !isNilBlockId(vote.blockId);
  if (!extends_ && vote.extension.length > 0) {
    throw new Refusal(
      'extension-misplaced',
      'a vote extension belongs on a non-nil precommit alone; the node beside is faulty or of an unknown version',
      { asked: position },
    );
  }
  const own = timestampText(vote.timestamp);
  return {
    chainId,
    kind: kindOfStep[step],
    position,
    blockId: blockIdText(vote.blockId),
    time: vote.timestamp,
    timestamp: own,
    validatorAddress: Buffer.from(vote.validatorAddress).toString('hex').toUpperCase(),
    signBytesAt: (text) => {
      if (text === own) return voteSignBytes(chainId, vote);
      const timestamp = parseTimestamp(text);
      return timestamp && voteSignBytes(chainId, { ...vote, timestamp });
    },
    extensionSignBytes: extends_ && !skipExtension ? voteExtensionSignBytes(chainId, vote) : undefined,
  };
}

export function proposalRequest(chainId: string, proposal: CheckedProposal): SignRequest {
  const signBytes = proposalSignBytes(chainId, proposal);
  return {
    chainId,
    kind: 'proposal',
    position: { height: Number(proposal.height), round: proposal.round, step: 1 },
    blockId: blockIdText(proposal.blockId),
    time: proposal.timestamp,
    timestamp: '',
    validatorAddress: '',
    signBytesAt: (text) => (text === '' ? signBytes : undefined),
  };
}

/** The request as a position to hold. */
export function heldFor(request: SignRequest): HeldPosition {
  const { position, timestamp } = request;
  const signBytes = request.signBytesAt(timestamp);
  if (signBytes === undefined) throw new Error(`timestamp ${timestamp} can't be read back`);
  return { ...position, signBytes: Buffer.from(signBytes).toString('base64'), timestamp };
}

/**
 * Whether what is held at the request's own position is the same act: the same bytes, a vote's timestamp aside. The
 * request is written out with the held timestamp and compared whole, so nothing is parsed out of stored bytes.
 *
 * A proposal must be the same to the last byte. FilePV would hand out the stored signature for another timestamp too,
 * but the node drops a proposal's answered timestamp, so that signature would be invalid: refusing says so at once.
 */
export function isSameAct(request: SignRequest, held: HeldPosition): boolean {
  if (held.signBytes === '') return false;
  const again = request.signBytesAt(held.timestamp);
  return again !== undefined && Buffer.from(again).toString('base64') === held.signBytes;
}
