/**
 * What a validator signs, bit for bit as CometBFT makes it (types/canonical.go, `MarshalDelimited`): the canonical
 * message behind its length. The timestamp and a block's part set header are always written, even when empty;
 * zero height and round are left out; a nil block is left out.
 *
 * Written field by field (fields.ts); a test holds it against the schema.
 */

import { Fields } from './fields.ts';
import type { BlockID, Proposal, Vote } from './gen/types_pb.ts';
import { signedType } from './signed-types.ts';

/** Go's zero `time.Time`, 1 January of the year 1: what a message without a timestamp has. */
const goZeroTime = { seconds: -62_135_596_800n, nanos: 0 };

/** A vote for nil: no hash, and a part set header of nothing (types/block.go `BlockID.IsNil`). */
export function isNilBlockId(blockId: BlockID | undefined): boolean {
  return (
    blockId === undefined ||
    (blockId.hash.length === 0 &&
      (blockId.partSetHeader?.total ?? 0) === 0 &&
      (blockId.partSetHeader?.hash.length ?? 0) === 0)
  );
}

/** @param field of the message that it is part of */
function writeBlockId(fields: Fields, field: number, blockId: BlockID | undefined): void {
  if (blockId === undefined || isNilBlockId(blockId)) return;
  const { hash, partSetHeader } = blockId;
  fields.message(field, () => {
    fields.bytes(1, hash).message(2, () => {
      if (partSetHeader) fields.varint(1, partSetHeader.total).bytes(2, partSetHeader.hash);
    });
  });
}

type SignedVote = Pick<Vote, 'type' | 'height' | 'round' | 'blockId' | 'timestamp'>;

/** `CanonicalVote` */
export function voteSignBytes(chainId: string, vote: SignedVote): Uint8Array {
  const fields = new Fields().varint(1, vote.type).fixed(2, vote.height).fixed(3, vote.round);
  writeBlockId(fields, 4, vote.blockId);
  return fields
    .timestamp(5, vote.timestamp ?? goZeroTime)
    .text(6, chainId)
    .delimited();
}

type SignedProposal = Pick<Proposal, 'height' | 'round' | 'polRound' | 'blockId' | 'timestamp'>;

/** `CanonicalProposal`. The type signed is always 32, whatever the message says, as in CometBFT. */
export function proposalSignBytes(chainId: string, proposal: SignedProposal): Uint8Array {
  const { height, round, polRound, blockId, timestamp } = proposal;
  const fields = new Fields().varint(1, signedType.proposal).fixed(2, height).fixed(3, round);
  fields.varint(4, polRound);
  writeBlockId(fields, 5, blockId);
  return fields
    .timestamp(6, timestamp ?? goZeroTime)
    .text(7, chainId)
    .delimited();
}

/** `CanonicalVoteExtension` */
export function voteExtensionSignBytes(
  chainId: string,
  { extension, height, round }: Pick<Vote, 'height' | 'round' | 'extension'>,
): Uint8Array {
  return new Fields().bytes(1, extension).fixed(2, height).fixed(3, round).text(4, chainId).delimited();
}
