/**
 * What a validator signs, bit for bit as CometBFT makes it (types/canonical.go, `MarshalDelimited`): the canonical
 * message behind its length. The timestamp and a block's part set header are always written, even when empty;
 * zero height and round are left out; a nil block is left out.
 *
 * Written field by field: going by the schema costs a signer that was asleep 0.1 ms more. A test holds the two against each other.
 */

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { encodeFrame } from './frame.ts';
import type { BlockID, Proposal, Timestamp, Vote } from './gen/types_pb.ts';
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

/** Fields as proto3 has them: one that is zero or empty is left out. */
class Fields {
  readonly #writer = new BinaryWriter();

  varint(field: number, value: number | bigint): this {
    if (Number(value) !== 0) this.#writer.tag(field, WireType.Varint).int64(value);
    return this;
  }

  fixed(field: number, value: number | bigint): this {
    if (Number(value) !== 0) this.#writer.tag(field, WireType.Bit64).sfixed64(value);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    if (value.length > 0) this.#writer.tag(field, WireType.LengthDelimited).bytes(value);
    return this;
  }

  text(field: number, value: string): this {
    if (value !== '') this.#writer.tag(field, WireType.LengthDelimited).string(value);
    return this;
  }

  /** Written even when empty. */
  message(field: number, write: () => void): this {
    this.#writer.tag(field, WireType.LengthDelimited).fork();
    write();
    this.#writer.join();
    return this;
  }

  /** Behind its length. */
  delimited(): Uint8Array {
    return encodeFrame(this.#writer.finish());
  }
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

function writeTimestamp(fields: Fields, field: number, timestamp: Timestamp | undefined): void {
  const { seconds, nanos } = timestamp ?? goZeroTime;
  fields.message(field, () => fields.varint(1, seconds).varint(2, nanos));
}

type SignedVote = Pick<Vote, 'type' | 'height' | 'round' | 'blockId' | 'timestamp'>;

/** `CanonicalVote` */
export function voteSignBytes(chainId: string, vote: SignedVote): Uint8Array {
  const fields = new Fields().varint(1, vote.type).fixed(2, vote.height).fixed(3, vote.round);
  writeBlockId(fields, 4, vote.blockId);
  writeTimestamp(fields, 5, vote.timestamp);
  return fields.text(6, chainId).delimited();
}

type SignedProposal = Pick<Proposal, 'height' | 'round' | 'polRound' | 'blockId' | 'timestamp'>;

/** `CanonicalProposal`. The type signed is always 32, whatever the message says, as in CometBFT. */
export function proposalSignBytes(chainId: string, proposal: SignedProposal): Uint8Array {
  const { height, round, polRound, blockId, timestamp } = proposal;
  const fields = new Fields().varint(1, signedType.proposal).fixed(2, height).fixed(3, round);
  fields.varint(4, polRound);
  writeBlockId(fields, 5, blockId);
  writeTimestamp(fields, 6, timestamp);
  return fields.text(7, chainId).delimited();
}

/** `CanonicalVoteExtension` */
export function voteExtensionSignBytes(
  chainId: string,
  { extension, height, round }: Pick<Vote, 'height' | 'round' | 'extension'>,
): Uint8Array {
  return new Fields().bytes(1, extension).fixed(2, height).fixed(3, round).text(4, chainId).delimited();
}
