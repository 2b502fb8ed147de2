import { mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { voteSignBytes } from '../signer/privval/sign-bytes.ts';
import { commitOf, decide, duplicateVoteEvidence, evidenceName, makeBlock, voteHolds } from './block.ts';
import {
  type BlockIdJson,
  blockIdMessage,
  msOfText,
  nilBlockId,
  timestampOfMs,
  timeText,
  type VoteJson,
} from './chain-json.ts';
import { genesisText, parseGenesis } from './genesis.ts';
import { addressOf, newKeyPair, signWith } from './keys.ts';
import { type DecidedBlock, NetworkFolder } from './network-folder.ts';
import { proposalOf } from './others.ts';
import { proposerAt, validatorsAt } from './validators.ts';

let folder: string;
let network: NetworkFolder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'beam-network-'));
  network = new NetworkFolder(folder);
  network.start();
});
afterEach(() => {
  network.stop();
  rmSync(folder, { recursive: true, force: true });
});

const start = Date.parse('2026-01-02T03:04:05Z');
const key = newKeyPair();
const address = addressOf(key.publicKey);
const chainId = 'c-1';
const genesis = parseGenesis(
  JSON.parse(genesisText({ chainId, blockSeconds: 1, network: '/n', validatorKey: key, time: start })),
);

function ourVote(height: number, blockId: BlockIdJson, type = 2, atMs = start): VoteJson {
  const timestamp = timestampOfMs(atMs);
  const bytes = voteSignBytes(chainId, {
    type,
    height: BigInt(height),
    round: 0,
    blockId: blockIdMessage(blockId),
    timestamp,
  });
  return {
    type,
    height: String(height),
    round: 0,
    block_id: blockId,
    timestamp: timeText(timestamp),
    validator_address: address,
    validator_index: genesis.validators.findIndex((validator) => validator.address === address),
    signature: signWith(key, bytes).toString('base64'),
    extension: null,
    extension_signature: null,
  };
}

/** Decides the next height in the folder as the simulated validators do. */
function next(nowMs: number): DecidedBlock {
  const tip = network.tip();
  const last = network.block(tip);
  const proposer = proposerAt(validatorsAt(genesis, last?.state, tip + 1), tip + 1, 0).address;
  const made = proposalOf(genesis, network, tip + 1, last, proposer);
  network.writeRound(tip + 1, 0, { proposedAt: nowMs, ...made });
  const decided = decide(genesis, 0, { proposedAt: nowMs, ...made }, last, nowMs);
  network.writeBlock(decided);
  return decided;
}

test('of two writers one wins, and what was written stays', () => {
  const made = makeBlock(genesis, {
    height: 1,
    proposer: address,
    last: undefined,
    ourLastPrecommits: [],
    evidence: [],
  });
  const other = new NetworkFolder(folder);
  expect(network.writeRound(1, 0, { failedAt: 1 })).toBe(true);
  expect(other.writeRound(1, 0, { proposedAt: 2, ...made })).toBe(false);
  expect(other.rounds(1)).toEqual([{ failedAt: 1 }]);
  const decided = next(start);
  expect(other.writeBlock({ ...decided, decidedAt: 5 })).toBe(false);
  expect(other.block(1)).toEqual(decided);
});

test('the head is found with a hint that is behind, or without one', () => {
  for (let height = 1; height <= 5; height++) next(start + height * 1000);
  expect(new NetworkFolder(folder).tip()).toBe(5);
  unlinkSync(join(folder, 'tip'));
  expect(new NetworkFolder(folder).tip()).toBe(5);
  expect(network.earliest()).toBe(1);
});

test('a waiting process is woken by another one', async () => {
  const woken = network.changed(5_000, new AbortController().signal);
  new NetworkFolder(folder).writeRound(1, 0, { failedAt: 1 });
  const before = Date.now();
  await woken;
  expect(Date.now() - before).toBeLessThan(2_000);
});

test('a commit holds what precommits came: for the block, for nil, none', () => {
  const decided = next(start + 1000);
  const flagOf = (votes: VoteJson[]) =>
    commitOf(genesis, decided, votes).signatures.map(({ block_id_flag }) => block_id_flag);
  const at = genesis.validators.findIndex((validator) => validator.address === address);
  expect(flagOf([])[at]).toBe(1);
  expect(flagOf([ourVote(1, nilBlockId)])[at]).toBe(3);
  expect(flagOf([ourVote(1, nilBlockId), ourVote(1, decided.blockId)])).toEqual([2, 2, 2, 2]);
  network.addVote(ourVote(1, decided.blockId));
  const following = next(start + 2000);
  expect(following.block.last_commit.signatures.map(({ block_id_flag }) => block_id_flag)).toEqual([
    2, 2, 2, 2,
  ]);
  expect(msOfText(following.block.header.time)).toBeGreaterThan(msOfText(decided.block.header.time));
});

test('a vote counts only under the key that made it, for the chain it was made for', () => {
  const vote = ourVote(3, nilBlockId);
  expect(voteHolds(chainId, key.publicKey, vote)).toBe(true);
  expect(voteHolds('c-2', key.publicKey, vote)).toBe(false);
  expect(voteHolds(chainId, newKeyPair().publicKey, vote)).toBe(false);
  expect(voteHolds(chainId, key.publicKey, { ...vote, round: 1 })).toBe(false);
});

test('two votes at one position are evidence in the next block, once, and two blocks later we are out', () => {
  const { blockId } = next(start);
  const same = [ourVote(1, blockId), ourVote(1, blockId, 2, start + 5)];
  expect(duplicateVoteEvidence(genesis, same, start)).toBeUndefined();
  network.addVote(ourVote(1, blockId));
  network.addVote(ourVote(1, nilBlockId));
  expect(network.votes(1, 0, 1)).toEqual([]);
  const evidence = duplicateVoteEvidence(genesis, network.votes(1, 0, 2), start);
  if (!evidence) throw new Error('no evidence');
  expect(network.addEvidence(evidence)).toBe(true);
  expect(network.addEvidence(evidence)).toBe(false);
  const blocks = [next(start + 1000), next(start + 2000), next(start + 3000), next(start + 4000)];
  expect(blocks.map(({ block }) => block.evidence.evidence.map(evidenceName))).toEqual([
    ['1.0.2.json'],
    [],
    [],
    [],
  ]);
  expect(blocks.at(-1)?.state).toEqual({ evidence: ['1.0.2.json'], tombstonedAt: 2 });
  const sizes = [2, 3, 4, 5].map((height) => validatorsAt(genesis, blocks.at(-1)?.state, height).length);
  expect(sizes).toEqual([4, 4, 3, 3]);
});
