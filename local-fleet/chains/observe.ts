/**
 * What the chain itself says, by any node's RPC: heights, who signed which commit, evidence, times of blocks. For
 * the stand-in and real chains alike.
 */

import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';

const requestTimeoutMs = 3_000;
/** Requests under way at once when many heights are read. */
const readsAtOnceMax = 8;
/** A node writes a block some moments after its peers: how often and how many times a missing height is asked for. */
const retryPauseMs = 100;
const failuresMax = 20;
/** The head's commit is final with the next block: at 6 s a block and a lost proposal, that takes 11 s. */
const finalWaitMs = 20_000;

/** How our validator figures in a commit: 'nil' is a precommit for no block. */
export type CommitSignature = 'signed' | 'absent' | 'nil';

/** A chain's evidence of two votes at one position. */
export interface DuplicateVote {
  /** The block that holds the evidence. */
  inHeight: number;
  /** Position of the two votes; type as in CometBFT's SignedMsgType: 1 prevote, 2 precommit. */
  height: number;
  round: number;
  type: number;
  validatorAddress: string;
}

export interface BlockTimes {
  medianSeconds: number;
  /** From each block to the next, `to - from` of them. */
  seconds: number[];
}

/** Raised when a node's RPC can't be reached, or answers with an error or with what isn't a CometBFT answer. */
export class ChainRpcError extends Error {
  override readonly name = 'ChainRpcError';
}

const integer = z.union([z.number().int(), z.string().regex(/^-?\d+$/)]).transform(Number);
const statusResult = z.object({ sync_info: z.object({ latest_block_height: integer }) });
const header = z.object({ height: integer, time: z.iso.datetime({ offset: true }) });

/** CometBFT's BlockIDFlag. */
const flags: Record<number, CommitSignature> = { 1: 'absent', 2: 'signed', 3: 'nil' };

const commitResult = z.object({
  signed_header: z.object({
    header,
    commit: z.object({
      height: integer,
      signatures: z.array(
        z.object({ block_id_flag: z.number().int(), validator_address: z.string(), timestamp: z.string() }),
      ),
    }),
  }),
  /** False at the head of the chain, where more precommits may still come. */
  canonical: z.boolean().default(true),
});
type CommitResult = z.infer<typeof commitResult>;

const evidenceVote = z.object({
  type: z.number().int(),
  height: integer,
  round: integer,
  validator_address: z.string(),
});
const blockResult = z.object({
  block: z.object({
    header,
    evidence: z
      .object({ evidence: z.array(z.object({ type: z.string(), value: z.unknown() })).nullish() })
      .nullish(),
  }),
});
const duplicateVoteType = 'tendermint/DuplicateVoteEvidence';
const duplicateVote = z.object({ vote_a: evidenceVote });

const rpcAnswer = z.object({
  result: z.unknown().optional(),
  error: z.object({ message: z.string(), data: z.unknown().optional() }).optional(),
});

/** Asks `rpc` (http://host:port) for `path`, once. */
async function ask<T extends z.ZodType>(rpc: string, path: string, schema: T): Promise<z.output<T>> {
  const url = new URL(path, rpc).href;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(requestTimeoutMs) });
    const answer = rpcAnswer.parse(await response.json());
    if (answer.error) throw new Error([answer.error.message, answer.error.data].filter(Boolean).join(': '));
    return schema.parse(answer.result);
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
    const reason = error instanceof Error ? error.message : String(error);
    throw new ChainRpcError(`${url}: ${reason}${cause}`, { cause: error });
  }
}

/** Asks again after failures, a bounded number of times: the head of a chain arrives node by node. */
async function askPatiently<T>(read: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await read();
    } catch (error) {
      if (failures === failuresMax) throw error;
      await delay(retryPauseMs);
    }
  }
}

/** The final commit of a height: with the next block made, nothing is added to it. */
async function finalCommit(rpc: string, height: number): Promise<CommitResult> {
  const startedMs = performance.now();
  for (;;) {
    const commit = await askPatiently(() => ask(rpc, `/commit?height=${height}`, commitResult));
    if (commit.canonical) return commit;
    if (performance.now() - startedMs > finalWaitMs) {
      throw new ChainRpcError(
        `${rpc}: no block after height ${height} in ${finalWaitMs / 1000} s: its commit isn't final`,
      );
    }
    await delay(retryPauseMs);
  }
}

async function eachHeight<T>(from: number, to: number, read: (height: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let start = from; start <= to; start += readsAtOnceMax) {
    const heights = Array.from(
      { length: Math.min(readsAtOnceMax, to - start + 1) },
      (_, index) => start + index,
    );
    results.push(...(await Promise.all(heights.map(read))));
  }
  return results;
}

/**
 * The node's latest committed height; 0 before the first block.
 * @throws ChainRpcError
 */
export async function latestHeight(rpc: string): Promise<number> {
  return (await ask(rpc, '/status', statusResult)).sync_info.latest_block_height;
}

function isOf({ validator_address }: { validator_address: string }, address: string): boolean {
  return validator_address.toUpperCase() === address.toUpperCase();
}

function signatureOf(commit: CommitResult, address: string): CommitSignature {
  // An absent validator's entry bears no address: the order is the validator set's, so not found is absent.
  const found = commit.signed_header.commit.signatures.find((signature) => isOf(signature, address));
  return found ? (flags[found.block_id_flag] ?? 'absent') : 'absent';
}

/**
 * @param height below the latest, at best: the head's commit is final with the next block, which is waited for.
 * @param address the validator's, in hex.
 */
export async function commitSignatures(
  rpc: string,
  height: number,
  address: string,
): Promise<CommitSignature> {
  return signatureOf(await finalCommit(rpc, height), address);
}

/** @returns the heights of `from` to `to`, both included, whose commit lacks a signature of `address` for the block. */
export async function missedBlocks(
  rpc: string,
  address: string,
  from: number,
  to: number,
): Promise<number[]> {
  const missed = await eachHeight(from, to, async (height) =>
    (await commitSignatures(rpc, height, address)) === 'signed' ? [] : [height],
  );
  return missed.flat();
}

/** A precommit for the block, as its commit holds it. */
export interface CommittedSignature {
  height: number;
  /** The vote's own time, ms since 1970: at least the last block's time + 1 ms. */
  atMs: number;
}

/** @returns the signatures of `address` for the block in the commits of `from` to `to`, both included, in order. */
export async function signaturesOf(
  rpc: string,
  address: string,
  from: number,
  to: number,
): Promise<CommittedSignature[]> {
  const found = await eachHeight(from, to, async (height) => {
    const { signatures } = (await finalCommit(rpc, height)).signed_header.commit;
    return signatures
      .filter((signature) => isOf(signature, address) && flags[signature.block_id_flag] === 'signed')
      .map(({ timestamp }) => ({ height, atMs: Date.parse(timestamp) }));
  });
  return found.flat();
}

/** @returns s; the longest time from one of the signatures to the next. */
export function longestGapSeconds(signatures: readonly CommittedSignature[]): number {
  const gapsMs = signatures.slice(1).map(({ atMs }, index) => atMs - (signatures[index]?.atMs ?? atMs));
  return Math.max(0, ...gapsMs) / 1000;
}

/** Evidence of double votes, of whichever validator, in the blocks from `from` to `to`. */
export async function duplicateVoteEvidence(rpc: string, from: number, to: number): Promise<DuplicateVote[]> {
  const found = await eachHeight(from, to, async (inHeight) => {
    const { block } = await askPatiently(() => ask(rpc, `/block?height=${inHeight}`, blockResult));
    return (block.evidence?.evidence ?? [])
      .filter((evidence) => evidence.type === duplicateVoteType)
      .map((evidence): DuplicateVote => {
        const { vote_a: vote } = duplicateVote.parse(evidence.value);
        const { height, round, type, validator_address: validatorAddress } = vote;
        return { inHeight, height, round, type, validatorAddress };
      });
  });
  return found.flat();
}

/** The time in a block's header, in ms since 1970: the median of the votes for the block before it. */
export async function blockTimeOf(rpc: string, height: number): Promise<number> {
  const { signed_header } = await askPatiently(() => ask(rpc, `/commit?height=${height}`, commitResult));
  return Date.parse(signed_header.header.time);
}

/** @param to above `from`. */
export async function blockTimes(rpc: string, from: number, to: number): Promise<BlockTimes> {
  if (to <= from) throw new RangeError(`block times need two heights at least, not ${from} to ${to}`);
  const times = await eachHeight(from, to, (height) => blockTimeOf(rpc, height));
  const seconds = times.slice(1).map((time, index) => (time - (times[index] ?? time)) / 1000);
  const sorted = [...seconds].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? 0;
  const high = sorted[Math.floor(middle)] ?? low;
  return { medianSeconds: (low + high) / 2, seconds };
}
