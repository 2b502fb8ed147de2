/**
 * Messages between a node and its signer, each way. Everything received is checked here once; behind this a vote has
 * a known type, a positive height, a round, a block id that is whole or nil, and a timestamp.
 */

import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Fields } from './fields.ts';
import { type Message, MessageSchema, type RemoteSignerError } from './gen/privval_pb.ts';
import type { BlockID, Proposal, Timestamp, Vote } from './gen/types_pb.ts';
import { signedType } from './signed-types.ts';

/** Bytes that are no message of the protocol: the connection must be closed. */
export class PrivvalMessageError extends Error {
  override readonly name = 'PrivvalMessageError';
}

const hashBytes = 32;
/** types/validation: a signature is at most this long. */
export const signatureBytesMax = 64;
/** A node logs what a signer says: a line, not a page. */
const errorDescriptionLengthMax = 500;

/** A vote that was checked: its timestamp is there. */
export type CheckedVote = Vote & { timestamp: Timestamp };
export type CheckedProposal = Proposal & { timestamp: Timestamp };

export type PrivvalRequest =
  | { kind: 'pubKey'; chainId: string }
  | { kind: 'signVote'; chainId: string; vote: CheckedVote; skipExtensionSigning: boolean }
  | { kind: 'signProposal'; chainId: string; proposal: CheckedProposal }
  | { kind: 'ping' }
  /** v1's request to sign any bytes: there is no guard for it, so it is refused. */
  | { kind: 'signBytes' }
  /** A known request whose content can't be: to be answered with an error of that kind. */
  | { kind: 'invalid'; request: 'signVote' | 'signProposal'; fault: string };

/** The kinds that are answered with more than a pong. */
export const answeredKinds = ['pubKey', 'signVote', 'signProposal', 'signBytes'] as const;
export type AnsweredKind = (typeof answeredKinds)[number];

function timestampFault(timestamp: Timestamp | undefined): string | undefined {
  if (timestamp === undefined) return 'has no timestamp';
  const { nanos, seconds } = timestamp;
  // RFC 3339's years 1 to 9999, as Go's timestamps.
  if (seconds < -62_135_596_800n || seconds > 253_402_300_799n) return `has a timestamp at ${seconds} s`;
  return nanos < 0 || nanos > 999_999_999 ? `has a timestamp with ${nanos} ns` : undefined;
}

/** A block id is nil, or whole: hash, parts and their hash (types/block.go `BlockID.IsComplete`). */
function blockIdFault(blockId: BlockID | undefined, nilAllowed: boolean): string | undefined {
  const hash = blockId?.hash.length ?? 0;
  const parts = blockId?.partSetHeader?.total ?? 0;
  const partsHash = blockId?.partSetHeader?.hash.length ?? 0;
  if (hash === 0 && parts === 0 && partsHash === 0) return nilAllowed ? undefined : 'has no block id';
  if (hash === hashBytes && parts > 0 && partsHash === hashBytes) return undefined;
  return `has a block id that is neither nil nor whole (hash of ${hash} bytes, ${parts} parts, their hash of ${partsHash})`;
}

function positionFault(height: bigint, round: number): string | undefined {
  if (height < 1n) return `has height ${height}`;
  if (height > BigInt(Number.MAX_SAFE_INTEGER)) return `has height ${height}, above what can be guarded`;
  return round < 0 ? `has round ${round}` : undefined;
}

/** @returns what is wrong with a vote that is asked for, or undefined. */
export function voteFault(vote: Vote | undefined): string | undefined {
  if (vote === undefined) return 'the request has no vote';
  if (vote.type !== signedType.prevote && vote.type !== signedType.precommit) {
    return `the vote has type ${vote.type}, which is neither prevote (1) nor precommit (2)`;
  }
  const fault =
    positionFault(vote.height, vote.round) ??
    blockIdFault(vote.blockId, true) ??
    timestampFault(vote.timestamp);
  return fault === undefined ? undefined : `the vote ${fault}`;
}

export function proposalFault(proposal: Proposal | undefined): string | undefined {
  if (proposal === undefined) return 'the request has no proposal';
  if (proposal.type !== signedType.proposal) {
    return `the proposal has type ${proposal.type} in place of ${signedType.proposal}`;
  }
  const fault =
    positionFault(proposal.height, proposal.round) ??
    (proposal.polRound < -1 || (proposal.polRound >= 0 && proposal.polRound >= proposal.round)
      ? `has proof-of-lock round ${proposal.polRound} in round ${proposal.round}`
      : undefined) ??
    blockIdFault(proposal.blockId, false) ??
    timestampFault(proposal.timestamp);
  return fault === undefined ? undefined : `the proposal ${fault}`;
}

function decode(message: Uint8Array): Message['sum'] {
  try {
    return fromBinary(MessageSchema, message).sum;
  } catch (error) {
    throw new PrivvalMessageError('what came over the signer connection is no privval message', {
      cause: error,
    });
  }
}

const hasTimestamp = <T extends { timestamp?: Timestamp | undefined }>(
  signed: T | undefined,
): signed is T & { timestamp: Timestamp } => signed?.timestamp !== undefined;

/**
 * What a node asks.
 * @throws PrivvalMessageError where the bytes are no message, or one that no node sends.
 */
export function parseRequest(message: Uint8Array): PrivvalRequest {
  const sum = decode(message);
  switch (sum.case) {
    case 'pubKeyRequest':
      return { kind: 'pubKey', chainId: sum.value.chainId };
    case 'signVoteRequest': {
      const { vote, chainId, skipExtensionSigning } = sum.value;
      const fault = voteFault(vote);
      if (fault !== undefined || !hasTimestamp(vote)) {
        return { kind: 'invalid', request: 'signVote', fault: fault ?? 'the vote has no timestamp' };
      }
      return { kind: 'signVote', chainId, vote, skipExtensionSigning };
    }
    case 'signProposalRequest': {
      const { proposal, chainId } = sum.value;
      const fault = proposalFault(proposal);
      if (fault !== undefined || !hasTimestamp(proposal)) {
        return { kind: 'invalid', request: 'signProposal', fault: fault ?? 'the proposal has no timestamp' };
      }
      return { kind: 'signProposal', chainId, proposal };
    }
    case 'pingRequest':
      return { kind: 'ping' };
    case 'signBytesRequest':
      return { kind: 'signBytes' };
    default:
      throw new PrivvalMessageError(
        `the node sent ${sum.case ?? 'a message of unknown kind'}, which is no request`,
      );
  }
}

function encode(sum: NonNullable<MessageInitShape<typeof MessageSchema>['sum']>): Uint8Array {
  return toBinary(MessageSchema, create(MessageSchema, { sum }));
}

/** Serves v0.34 to v0.40 (field 1) and v1 (fields 3 and 4) alike. */
export function pubKeyResponse(publicKey: Uint8Array): Uint8Array {
  return encode({
    case: 'pubKeyResponse',
    value: {
      pubKey: { sum: { case: 'ed25519', value: publicKey } },
      pubKeyBytes: publicKey,
      pubKeyType: 'ed25519',
    },
  });
}

/** The node uses the timestamp and the signatures, and reads 10 KiB: nothing else goes back. */
export function signedVoteResponse(signed: {
  timestamp: Timestamp;
  signature: Uint8Array;
  extensionSignature?: Uint8Array | undefined;
}): Uint8Array {
  const { timestamp, signature, extensionSignature } = signed;
  const fields = new Fields();
  fields.message(4, () =>
    fields.message(1, () => {
      fields.timestamp(5, timestamp).bytes(8, signature);
      if (extensionSignature) fields.bytes(10, extensionSignature);
    }),
  );
  return fields.finish();
}

export function signedProposalResponse(signed: { timestamp: Timestamp; signature: Uint8Array }): Uint8Array {
  const { timestamp, signature } = signed;
  const fields = new Fields();
  fields.message(6, () =>
    fields.message(1, () => {
      fields.timestamp(6, timestamp).bytes(7, signature);
    }),
  );
  return fields.finish();
}

export function pingResponse(): Uint8Array {
  return encode({ case: 'pingResponse', value: {} });
}

/** A node's answer to this is a log line; it goes on without the signature. */
export function errorResponse(to: AnsweredKind, description: string, code = 1): Uint8Array {
  const error = { code, description: description.slice(0, errorDescriptionLengthMax) };
  switch (to) {
    case 'pubKey':
      return encode({ case: 'pubKeyResponse', value: { error } });
    case 'signVote':
      return encode({ case: 'signedVoteResponse', value: { error } });
    case 'signProposal':
      return encode({ case: 'signedProposalResponse', value: { error } });
    case 'signBytes':
      return encode({ case: 'signBytesResponse', value: { error } });
  }
}

export function pubKeyRequest(chainId: string): Uint8Array {
  return encode({ case: 'pubKeyRequest', value: { chainId } });
}

export function signVoteRequest(chainId: string, vote: Vote): Uint8Array {
  return encode({ case: 'signVoteRequest', value: { chainId, vote } });
}

export function signProposalRequest(chainId: string, proposal: Proposal): Uint8Array {
  return encode({ case: 'signProposalRequest', value: { chainId, proposal } });
}

export function pingRequest(): Uint8Array {
  return encode({ case: 'pingRequest', value: {} });
}

/** What a signer answered. */
export type PrivvalResponse =
  | { kind: 'pubKey'; publicKey: Uint8Array }
  | { kind: 'signVote'; timestamp: Timestamp; signature: Uint8Array; extensionSignature: Uint8Array }
  | { kind: 'signProposal'; signature: Uint8Array }
  | { kind: 'ping' }
  | { kind: 'error'; to: AnsweredKind; code: number; description: string };

/** @throws PrivvalMessageError where the bytes are no answer that a node could use. */
export function parseResponse(message: Uint8Array): PrivvalResponse {
  const sum = decode(message);
  const failed = (to: AnsweredKind, { code, description }: RemoteSignerError): PrivvalResponse => ({
    kind: 'error',
    to,
    code,
    description,
  });
  switch (sum.case) {
    case 'pubKeyResponse': {
      if (sum.value.error) return failed('pubKey', sum.value.error);
      const { pubKey, pubKeyBytes, pubKeyType } = sum.value;
      // v0.34 to v0.40, else v1.
      const { case: type, value } = pubKey?.sum ?? { case: undefined };
      const publicKey = type === 'ed25519' ? value : pubKeyType === 'ed25519' ? pubKeyBytes : undefined;
      if (publicKey?.length !== 32) {
        throw new PrivvalMessageError('the signer answered with no ed25519 key of 32 bytes');
      }
      return { kind: 'pubKey', publicKey };
    }
    case 'signedVoteResponse': {
      if (sum.value.error) return failed('signVote', sum.value.error);
      const vote = sum.value.vote;
      if (!hasTimestamp(vote) || vote.signature.length === 0 || vote.signature.length > signatureBytesMax) {
        throw new PrivvalMessageError('the signer answered with a vote without timestamp or signature');
      }
      return {
        kind: 'signVote',
        timestamp: vote.timestamp,
        signature: vote.signature,
        extensionSignature: vote.extensionSignature,
      };
    }
    case 'signedProposalResponse': {
      if (sum.value.error) return failed('signProposal', sum.value.error);
      const signature = sum.value.proposal?.signature;
      if (!signature?.length || signature.length > signatureBytesMax) {
        throw new PrivvalMessageError('the signer answered with a proposal without signature');
      }
      return { kind: 'signProposal', signature };
    }
    case 'pingResponse':
      return { kind: 'ping' };
    case 'signBytesResponse':
      if (sum.value.error) return failed('signBytes', sum.value.error);
      throw new PrivvalMessageError('the signer signed bytes that nobody asked it to sign');
    default:
      throw new PrivvalMessageError(
        `the signer sent ${sum.case ?? 'a message of unknown kind'}, which is no answer`,
      );
  }
}
