/**
 * What a validator signs, bit for bit as CometBFT makes it (types/canonical.go, `MarshalDelimited`): the canonical
 * message behind its length. The timestamp and a block's part set header are always written, even when empty;
 * zero height and round are left out; a nil block is left out.
 */

import { create, toBinary } from '@bufbuild/protobuf';
import { encodeFrame } from './frame.ts';
import {
  type BlockID,
  type CanonicalBlockID,
  CanonicalBlockIDSchema,
  CanonicalPartSetHeaderSchema,
  CanonicalProposalSchema,
  CanonicalVoteExtensionSchema,
  CanonicalVoteSchema,
  type Proposal,
  type Timestamp,
  TimestampSchema,
  type Vote,
} from './gen/types_pb.ts';
import { signedType } from './signed-types.ts';

/** Go's zero `time.Time`, 1 January of the year 1: what a message without a timestamp has. */
const goZeroTimeSeconds = -62_135_596_800n;

function timestampOf(timestamp: Timestamp | undefined): Timestamp {
  return timestamp ?? create(TimestampSchema, { seconds: goZeroTimeSeconds });
}

/** A vote for nil: no hash, and a part set header of nothing (types/block.go `BlockID.IsNil`). */
export function isNilBlockId(blockId: BlockID | undefined): boolean {
  return (
    blockId === undefined ||
    (blockId.hash.length === 0 &&
      (blockId.partSetHeader?.total ?? 0) === 0 &&
      (blockId.partSetHeader?.hash.length ?? 0) === 0)
  );
}

function canonicalBlockId(blockId: BlockID | undefined): CanonicalBlockID | undefined {
  if (blockId === undefined || isNilBlockId(blockId)) return undefined;
  return create(CanonicalBlockIDSchema, {
    hash: blockId.hash,
    partSetHeader: create(CanonicalPartSetHeaderSchema, {
      total: blockId.partSetHeader?.total ?? 0,
      hash: blockId.partSetHeader?.hash ?? new Uint8Array(0),
    }),
  });
}

type SignedVote = Pick<Vote, 'type' | 'height' | 'round' | 'blockId' | 'timestamp'>;

export function voteSignBytes(chainId: string, vote: SignedVote): Uint8Array {
  const blockId = canonicalBlockId(vote.blockId);
  return encodeFrame(
    toBinary(
      CanonicalVoteSchema,
      create(CanonicalVoteSchema, {
        type: vote.type,
        height: vote.height,
        round: BigInt(vote.round),
        ...(blockId ? { blockId } : {}),
        timestamp: timestampOf(vote.timestamp),
        chainId,
      }),
    ),
  );
}

type SignedProposal = Pick<Proposal, 'height' | 'round' | 'polRound' | 'blockId' | 'timestamp'>;

/** The type signed is always 32, whatever the message says, as in CometBFT. */
export function proposalSignBytes(chainId: string, proposal: SignedProposal): Uint8Array {
  const blockId = canonicalBlockId(proposal.blockId);
  return encodeFrame(
    toBinary(
      CanonicalProposalSchema,
      create(CanonicalProposalSchema, {
        type: signedType.proposal,
        height: proposal.height,
        round: BigInt(proposal.round),
        polRound: BigInt(proposal.polRound),
        ...(blockId ? { blockId } : {}),
        timestamp: timestampOf(proposal.timestamp),
        chainId,
      }),
    ),
  );
}

export function voteExtensionSignBytes(
  chainId: string,
  vote: Pick<Vote, 'height' | 'round' | 'extension'>,
): Uint8Array {
  return encodeFrame(
    toBinary(
      CanonicalVoteExtensionSchema,
      create(CanonicalVoteExtensionSchema, {
        extension: vote.extension,
        height: vote.height,
        round: BigInt(vote.round),
        chainId,
      }),
    ),
  );
}
