/** What a node may ask, made short. */

import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import type { JournalEntry } from '../../protocol/signer-control.ts';
import { ProposalSchema, VoteSchema } from '../privval/gen/types_pb.ts';
import {
  type PrivvalRequest,
  parseRequest,
  signProposalRequest,
  signVoteRequest,
} from '../privval/messages.ts';

export const chainId = 'rehearsal-1';

export interface Ask {
  height: number;
  round?: number;
  step: 1 | 2 | 3;
  /** A name, or '' for nil. */
  block?: string;
  seconds?: number;
  chain?: string;
  extension?: string;
  /** The validator's address, hex. */
  validator?: string;
}

/** A prevote, unless `more` has it otherwise. */
export const vote = (height: number, block = 'x', more: Partial<Ask> = {}): Ask => ({
  height,
  step: 2,
  block,
  ...more,
});

const hash = (text: string) => createHash('sha256').update(text).digest();

export function blockId(name: string) {
  return { hash: hash(name), partSetHeader: { total: 1, hash: hash(`parts of ${name}`) } };
}

/** The request as a node's message is read. */
export function request(ask: Ask): PrivvalRequest {
  return parseRequest(message(ask));
}

/** The message as a node sends it. */
export function message(ask: Ask): Uint8Array {
  const { height, round = 0, step, block = 'b', seconds = 1_700_000_000, chain = chainId } = ask;
  const signed = {
    height: BigInt(height),
    round,
    timestamp: { seconds: BigInt(seconds), nanos: 7 },
    ...(block === '' ? {} : { blockId: blockId(block) }),
  };
  if (step === 1) {
    return signProposalRequest(chain, create(ProposalSchema, { type: 32, polRound: -1, ...signed }));
  }
  const vote = create(VoteSchema, {
    type: step - 1,
    ...signed,
    ...(ask.validator === undefined ? {} : { validatorAddress: Buffer.from(ask.validator, 'hex') }),
    ...(ask.extension === undefined ? {} : { extension: Buffer.from(ask.extension) }),
  });
  return signVoteRequest(chain, vote);
}

/** A journal's line of a precommit. */
export function journalled(height: number, more: Partial<JournalEntry> = {}): JournalEntry {
  return {
    at: '2026-01-01T00:00:00.000Z',
    chainId: 'c',
    height,
    round: 0,
    type: 'precommit',
    blockId: 'X',
    timestamp: '1.000000000',
    signBytesHash: 'ab',
    epoch: 1,
    thing: 'demo_a',
    ...more,
  };
}
