/** Makes blocks, the simulated validators' votes, and evidence. Hashes are this stand-in's own: nobody else checks them. */

import { createHash } from 'node:crypto';
import { voteSignBytes } from '../signer/privval/sign-bytes.ts';
import { signedType } from '../signer/privval/signed-types.ts';
import {
  type BlockIdJson,
  type BlockJson,
  blockIdMessage,
  type CommitJson,
  type CommitSigJson,
  type EvidenceJson,
  msOfText,
  nilBlockId,
  timestampOfMs,
  timestampOfText,
  timeText,
  type VoteJson,
  zeroTime,
} from './chain-json.ts';
import type { Genesis } from './genesis.ts';
import { signatureHolds, signWith } from './keys.ts';
import type { DecidedBlock, Proposed } from './network-folder.ts';
import { type ChainState, validatorsAt } from './validators.ts';

const hashOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').toUpperCase();

export function isNil(blockId: BlockIdJson): boolean {
  return blockId.hash === '';
}

export function sameBlock(a: BlockIdJson, b: BlockIdJson): boolean {
  return a.hash === b.hash && a.parts.total === b.parts.total && a.parts.hash === b.parts.hash;
}

/** The commit of a decided block, with our validator's precommit where there is one. */
export function commitOf(
  genesis: Genesis,
  decided: DecidedBlock,
  ourPrecommits: readonly VoteJson[],
): CommitJson {
  const others = new Map(
    decided.otherPrecommits.map((signature) => [signature.validator_address, signature]),
  );
  const ours =
    ourPrecommits.find(({ block_id }) => sameBlock(block_id, decided.blockId)) ??
    ourPrecommits.find(({ block_id }) => isNil(block_id));
  const absent: CommitSigJson = {
    block_id_flag: 1,
    validator_address: '',
    timestamp: zeroTime,
    signature: null,
  };
  const signatures = validatorsAt(genesis, decided.state, decided.height).map(
    ({ address }): CommitSigJson => {
      if (ours?.validator_address !== address) return others.get(address) ?? absent;
      return {
        block_id_flag: isNil(ours.block_id) ? 3 : 2,
        validator_address: address,
        timestamp: ours.timestamp,
        signature: ours.signature,
      };
    },
  );
  return { height: String(decided.height), round: decided.round, block_id: decided.blockId, signatures };
}

/** CometBFT's BFT time: the median of the last commit's timestamps, later than the last block's. */
function blockTimeMs(last: DecidedBlock, commit: CommitJson): number {
  const times = commit.signatures
    .filter(({ block_id_flag }) => block_id_flag !== 1)
    .map(({ timestamp }) => msOfText(timestamp))
    .sort((a, b) => a - b);
  const median = times[Math.floor((times.length - 1) / 2)] ?? 0;
  return Math.max(median, msOfText(last.block.header.time) + 1);
}

export interface BlockParts {
  height: number;
  proposer: string;
  last: DecidedBlock | undefined;
  ourLastPrecommits: readonly VoteJson[];
  evidence: readonly EvidenceJson[];
}

export function makeBlock(genesis: Genesis, parts: BlockParts): { block: BlockJson; blockId: BlockIdJson } {
  const { height, proposer, last, ourLastPrecommits, evidence } = parts;
  const last_commit: CommitJson = last
    ? commitOf(genesis, last, ourLastPrecommits)
    : { height: '0', round: 0, block_id: nilBlockId, signatures: [] };
  const data = { txs: [] };
  const validators = (at: number) =>
    hashOf(validatorsAt(genesis, last?.state, at).map(({ address, power }) => ({ address, power })));
  const header = {
    version: { block: '11' },
    chain_id: genesis.chainId,
    height: String(height),
    time: timeText(timestampOfMs(last ? blockTimeMs(last, last_commit) : genesis.time)),
    last_block_id: last?.blockId ?? nilBlockId,
    last_commit_hash: hashOf(last_commit),
    data_hash: hashOf(data),
    validators_hash: validators(height),
    next_validators_hash: validators(height + 1),
    consensus_hash: hashOf(genesis.consensusParams),
    app_hash: hashOf(last?.state ?? null),
    last_results_hash: hashOf([]),
    evidence_hash: hashOf(evidence),
    proposer_address: proposer,
  };
  const block: BlockJson = { header, data, evidence: { evidence: [...evidence] }, last_commit };
  return { block, blockId: { hash: hashOf(header), parts: { total: 1, hash: hashOf(block) } } };
}

/** The others' precommits, made at the commit. */
export function decide(
  genesis: Genesis,
  round: number,
  proposed: Proposed,
  last: DecidedBlock | undefined,
  nowMs: number,
): DecidedBlock {
  const { block, blockId } = proposed;
  const height = Number(block.header.height);
  const timestampMs = Math.max(nowMs, msOfText(block.header.time) + 1);
  const otherPrecommits = [...genesis.others].map(([address, key], index): CommitSigJson => {
    const timestamp = timestampOfMs(timestampMs + index);
    const signBytes = voteSignBytes(genesis.chainId, {
      type: signedType.precommit,
      height: BigInt(height),
      round,
      blockId: blockIdMessage(blockId),
      timestamp,
    });
    return {
      block_id_flag: 2,
      validator_address: address,
      timestamp: timeText(timestamp),
      signature: signWith(key, signBytes).toString('base64'),
    };
  });
  return {
    height,
    round,
    decidedAt: nowMs,
    blockId,
    block,
    otherPrecommits,
    state: stateAfter(last?.state, block),
  };
}

export function evidenceName({ value }: EvidenceJson): string {
  const { height, round, type } = value.vote_a;
  return `${height}.${round}.${type}.json`;
}

function stateAfter(state: ChainState | undefined, { header, evidence }: BlockJson): ChainState {
  const names = evidence.evidence.map(evidenceName);
  const included = [...(state?.evidence ?? []), ...names];
  const tombstonedAt = state?.tombstonedAt ?? (names.length > 0 ? Number(header.height) : undefined);
  return { evidence: included, ...(tombstonedAt === undefined ? {} : { tombstonedAt }) };
}

export function voteHolds(chainId: string, publicKey: Uint8Array, vote: VoteJson): boolean {
  const signBytes = voteSignBytes(chainId, {
    type: vote.type,
    height: BigInt(vote.height),
    round: vote.round,
    blockId: blockIdMessage(vote.block_id),
    timestamp: timestampOfText(vote.timestamp),
  });
  return signatureHolds(publicKey, signBytes, Buffer.from(vote.signature, 'base64'));
}

/** Two votes of one validator at one position for different blocks, nil being one too (CometBFT evidence/verify.go). */
export function duplicateVoteEvidence(
  genesis: Genesis,
  votes: readonly VoteJson[],
  nowMs: number,
): EvidenceJson | undefined {
  const [first, second] = [...votes].sort((a, b) => (a.block_id.hash < b.block_id.hash ? -1 : 1));
  if (!first || !second || sameBlock(first.block_id, second.block_id)) return undefined;
  const power = genesis.validators.find(({ address }) => address === first.validator_address)?.power ?? 0;
  return {
    type: 'tendermint/DuplicateVoteEvidence',
    value: {
      vote_a: first,
      vote_b: second,
      TotalVotingPower: String(genesis.validators.reduce((sum, validator) => sum + validator.power, 0)),
      ValidatorPower: String(power),
      Timestamp: timeText(timestampOfMs(nowMs)),
    },
  };
}
