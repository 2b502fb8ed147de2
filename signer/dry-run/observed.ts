/**
 * What a node's events show of the present signer's work (CometBFT types/events.go), parsed at the edge: the votes that it signed,
 * the proposals of its turns, the rounds that the node took part in, and the commits of the chain.
 */

import { create } from '@bufbuild/protobuf';
import * as z from 'zod';
import { proposalRequest, type SignedKind, type SignRequest, voteRequest } from '../core/request.ts';
import {
  type BlockID,
  BlockIDSchema,
  ProposalSchema,
  type Timestamp,
  TimestampSchema,
  VoteSchema,
} from '../privval/gen/types_pb.ts';
import { type CheckedProposal, type CheckedVote, proposalFault, voteFault } from '../privval/messages.ts';
import { signedType } from '../privval/signed-types.ts';

/** The queries that are subscribed to; a node allows five a connection. */
export const eventNames = ['Vote', 'CompleteProposal', 'NewRound', 'NewBlock'] as const;

const numeral = z.union([z.number().int(), z.string().regex(/^-?\d{1,16}$/)]).transform(Number);
const blockIdJson = z.object({
  hash: z.string().max(128),
  parts: z.object({ total: z.number().int().nonnegative(), hash: z.string().max(128) }),
});
const address = z
  .string()
  .max(64)
  .transform((text) => text.toUpperCase());
const voteValue = z.object({
  Vote: z.object({
    type: z.number().int(),
    height: numeral,
    round: z.number().int(),
    block_id: blockIdJson,
    timestamp: z.string().max(64),
    validator_address: address,
    validator_index: z.number().int(),
    extension: z.string().nullish(),
  }),
});
const proposalValue = z.object({ height: numeral, round: z.number().int(), block_id: blockIdJson });
const roundValue = z.object({
  height: numeral,
  round: z.number().int(),
  proposer: z.object({ address }),
});
const blockValue = z.object({
  block: z.object({
    header: z.object({ height: numeral, chain_id: z.string() }),
    last_commit: z
      .object({
        height: numeral,
        round: z.number().int(),
        block_id: blockIdJson,
        signatures: z.array(z.object({ block_id_flag: z.number().int(), validator_address: address })),
      })
      .nullish(),
  }),
});
const event = z.object({
  result: z.object({ data: z.object({ type: z.string(), value: z.unknown() }) }),
});

export type Observed =
  | { kind: 'vote'; address: string; request(chainId: string): SignRequest }
  | { kind: 'proposal'; height: number; round: number; blockId: BlockID }
  | { kind: 'round'; height: number; round: number; proposer: string }
  | { kind: 'block'; height: number; chainId: string; lastCommit: Commit | undefined };

export interface Commit {
  height: number;
  round: number;
  /** `blockIdText`'s form. */
  blockId: string;
  /** CometBFT's BlockIDFlag of each validator: 1 absent, 2 for the block, 3 for nil. */
  flags: ReadonlyMap<string, number>;
}

/** @returns undefined for what is none of the four events, or not as CometBFT sends it. */
export function parseEvent(value: unknown): Observed | undefined {
  const parsed = event.safeParse(value);
  if (!parsed.success) return undefined;
  const { type, value: content } = parsed.data.result.data;
  switch (type) {
    case 'tendermint/event/Vote':
      return observedVote(voteValue.safeParse(content).data);
    case 'tendermint/event/CompleteProposal': {
      const { data } = proposalValue.safeParse(content);
      return (
        data && {
          kind: 'proposal',
          height: data.height,
          round: data.round,
          blockId: blockIdOf(data.block_id),
        }
      );
    }
    case 'tendermint/event/NewRound': {
      const { data } = roundValue.safeParse(content);
      return (
        data && { kind: 'round', height: data.height, round: data.round, proposer: data.proposer.address }
      );
    }
    case 'tendermint/event/NewBlock':
      return observedBlock(blockValue.safeParse(content).data);
    default:
      return undefined;
  }
}

function observedVote(value: z.output<typeof voteValue> | undefined): Observed | undefined {
  if (!value) return undefined;
  const { Vote: seen } = value;
  const timestamp = timestampOf(seen.timestamp);
  if (!timestamp) return undefined;
  const vote: CheckedVote = {
    ...create(VoteSchema, {
      type: seen.type,
      height: BigInt(seen.height),
      round: seen.round,
      blockId: blockIdOf(seen.block_id),
      validatorAddress: Buffer.from(seen.validator_address, 'hex'),
      validatorIndex: seen.validator_index,
      extension: Buffer.from(seen.extension ?? '', 'base64'),
    }),
    timestamp,
  };
  if (voteFault(vote) !== undefined) return undefined;
  return { kind: 'vote', address: seen.validator_address, request: (chainId) => voteRequest(chainId, vote) };
}

function observedBlock(value: z.output<typeof blockValue> | undefined): Observed | undefined {
  if (!value) return undefined;
  const { header, last_commit: commit } = value.block;
  return {
    kind: 'block',
    height: header.height,
    chainId: header.chain_id,
    lastCommit: commit
      ? {
          height: commit.height,
          round: commit.round,
          blockId: textOf(commit.block_id),
          flags: new Map(commit.signatures.map((one) => [one.validator_address, one.block_id_flag])),
        }
      : undefined,
  };
}

/**
 * An event tells neither a proposal's time nor its proof-of-lock round; the guard decides by position and bytes, so the
 * time of the event stands in.
 * @returns undefined where it is none that a signer would be asked for
 */
export function proposalSeen(
  chainId: string,
  { height, round, blockId }: Extract<Observed, { kind: 'proposal' }>,
  wallMs: number,
): SignRequest | undefined {
  const timestamp = create(TimestampSchema, {
    seconds: BigInt(Math.floor(wallMs / 1000)),
    nanos: (Math.floor(wallMs) % 1000) * 1_000_000,
  });
  const proposal: CheckedProposal = {
    ...create(ProposalSchema, {
      type: signedType.proposal,
      height: BigInt(height),
      round,
      polRound: -1,
      blockId,
    }),
    timestamp,
  };
  return proposalFault(proposal) === undefined ? proposalRequest(chainId, proposal) : undefined;
}

type BlockIdJson = z.output<typeof blockIdJson>;

function blockIdOf({ hash, parts }: BlockIdJson): BlockID {
  return create(BlockIDSchema, {
    hash: Buffer.from(hash, 'hex'),
    partSetHeader: { total: parts.total, hash: Buffer.from(parts.hash, 'hex') },
  });
}

/** As `blockIdText` writes it. */
function textOf({ hash, parts }: BlockIdJson): string {
  return `${hash.toUpperCase()}:${parts.total}:${parts.hash.toUpperCase()}`;
}

/** RFC 3339 with up to nanoseconds, as Go writes it. */
export function timestampOf(text: string): Timestamp | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text);
  const ms = match ? Date.parse(`${match[1]}Z`) : Number.NaN;
  if (!match || Number.isNaN(ms)) return undefined;
  return create(TimestampSchema, {
    seconds: BigInt(ms / 1000),
    nanos: Number((match[2] ?? '').padEnd(9, '0')),
  });
}

export type { SignedKind };
