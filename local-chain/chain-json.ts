/** Blocks and votes in the JSON of CometBFT 0.38's RPC, which is also how they lie in the network's folder. */

import { create } from '@bufbuild/protobuf';
import * as z from 'zod';
import {
  type BlockID,
  BlockIDSchema,
  type Timestamp,
  TimestampSchema,
} from '../signer/privval/gen/types_pb.ts';

/** Go's zero time, in the place of an absent vote's timestamp. */
export const zeroTime = '0001-01-01T00:00:00Z';

export const blockIdJson = z.object({
  hash: z.string(),
  parts: z.object({ total: z.number().int(), hash: z.string() }),
});
export type BlockIdJson = z.infer<typeof blockIdJson>;

/** A precommit in a commit: 1 absent, 2 for the block, 3 for nil. */
export const commitSigJson = z.object({
  block_id_flag: z.union([z.literal(1), z.literal(2), z.literal(3)]),
  validator_address: z.string(),
  timestamp: z.string(),
  signature: z.string().nullable(),
});
export type CommitSigJson = z.infer<typeof commitSigJson>;

export const commitJson = z.object({
  height: z.string(),
  round: z.number().int(),
  block_id: blockIdJson,
  signatures: z.array(commitSigJson),
});
export type CommitJson = z.infer<typeof commitJson>;

export const voteJson = z.object({
  type: z.number().int(),
  height: z.string().regex(/^\d+$/),
  round: z.number().int(),
  block_id: blockIdJson,
  timestamp: z.string(),
  validator_address: z.string(),
  validator_index: z.number().int(),
  signature: z.string(),
  extension: z.null(),
  extension_signature: z.null(),
});
export type VoteJson = z.infer<typeof voteJson>;

export const evidenceJson = z.object({
  type: z.literal('tendermint/DuplicateVoteEvidence'),
  value: z.object({
    vote_a: voteJson,
    vote_b: voteJson,
    TotalVotingPower: z.string(),
    ValidatorPower: z.string(),
    Timestamp: z.string(),
  }),
});
export type EvidenceJson = z.infer<typeof evidenceJson>;

export const headerJson = z.object({
  version: z.object({ block: z.string() }),
  chain_id: z.string(),
  height: z.string(),
  time: z.string(),
  last_block_id: blockIdJson,
  last_commit_hash: z.string(),
  data_hash: z.string(),
  validators_hash: z.string(),
  next_validators_hash: z.string(),
  consensus_hash: z.string(),
  app_hash: z.string(),
  last_results_hash: z.string(),
  evidence_hash: z.string(),
  proposer_address: z.string(),
});

export const blockJson = z.object({
  header: headerJson,
  data: z.object({ txs: z.array(z.string()) }),
  evidence: z.object({ evidence: z.array(evidenceJson) }),
  last_commit: commitJson,
});
export type BlockJson = z.infer<typeof blockJson>;

export const nilBlockId: BlockIdJson = { hash: '', parts: { total: 0, hash: '' } };

export function blockIdMessage({ hash, parts }: BlockIdJson): BlockID {
  return create(BlockIDSchema, {
    hash: Buffer.from(hash, 'hex'),
    partSetHeader: { total: parts.total, hash: Buffer.from(parts.hash, 'hex') },
  });
}

const nsPerSecond = 1_000_000_000n;

export function timestampOfMs(ms: number): Timestamp {
  const ns = BigInt(Math.floor(ms)) * 1_000_000n;
  return create(TimestampSchema, { seconds: ns / nsPerSecond, nanos: Number(ns % nsPerSecond) });
}

/** RFC 3339 with as many digits of a second as there are, as Go prints times. */
export function timeText({ seconds, nanos }: Timestamp): string {
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const fraction = String(nanos).padStart(9, '0').replace(/0+$/, '');
  return `${whole}${fraction ? `.${fraction}` : ''}Z`;
}

export function timestampOfText(text: string): Timestamp {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text);
  if (!match?.[1]) throw new Error(`'${text}' is no time in RFC 3339 and UTC`);
  return create(TimestampSchema, {
    seconds: BigInt(Date.parse(`${match[1]}Z`)) / 1000n,
    nanos: Number((match[2] ?? '').padEnd(9, '0')),
  });
}

export function msOfText(text: string): number {
  const { seconds, nanos } = timestampOfText(text);
  return Number(seconds) * 1000 + nanos / 1e6;
}
