import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import {
  blockTimeOf,
  blockTimes,
  ChainRpcError,
  commitSignatures,
  duplicateVoteEvidence,
  latestHeight,
  longestGapSeconds,
  missedBlocks,
  signaturesOf,
} from './observe.ts';

const ours = 'AB'.repeat(20);
const other = 'CD'.repeat(20);

/** Answers in CometBFT's shape, by path and height; what is undefined is refused as a node refuses it. */
type Answers = (path: string, height: number) => unknown;

let server: Server | undefined;
afterEach(() => new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve())));

async function rpcOf(answers: Answers): Promise<string> {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://node');
    const result = answers(url.pathname, Number(url.searchParams.get('height')));
    const error = {
      code: -32603,
      message: 'Internal error',
      data: 'height 9 must be less than or equal to 8',
    };
    response.statusCode = result === undefined ? 500 : 200;
    response.end(
      JSON.stringify({ jsonrpc: '2.0', id: -1, ...(result === undefined ? { error } : { result }) }),
    );
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function commit(height: number, flag: number, canonical = true) {
  const time = new Date(Date.UTC(2026, 0, 1) + height * 2_000 + (height === 5 ? 500 : 0)).toISOString();
  return {
    signed_header: {
      header: { height: String(height), time: time.replace('Z', '123456Z') },
      commit: {
        height: String(height),
        round: 0,
        signatures: [
          { block_id_flag: 2, validator_address: other, timestamp: time, signature: 'x' },
          {
            block_id_flag: flag,
            validator_address: flag === 1 ? '' : ours,
            timestamp: time,
            signature: null,
          },
        ],
      },
    },
    canonical,
  };
}

test('the latest height is a number, though the RPC says it as text', async () => {
  const rpc = await rpcOf(() => ({ sync_info: { latest_block_height: '42', catching_up: false } }));
  expect(await latestHeight(rpc)).toBe(42);
});

test('a commit tells signed, absent and nil apart, whatever the case of the address', async () => {
  const rpc = await rpcOf((_, height) => commit(height, { 1: 2, 2: 1, 3: 3 }[height] ?? 2));
  expect(await commitSignatures(rpc, 1, ours.toLowerCase())).toBe('signed');
  expect(await commitSignatures(rpc, 2, ours)).toBe('absent');
  expect(await commitSignatures(rpc, 3, ours)).toBe('nil');
  expect(await commitSignatures(rpc, 1, 'EF'.repeat(20))).toBe('absent');
});

test('absent and nil are both missed, over more heights than are read at once', async () => {
  const rpc = await rpcOf((_, height) => commit(height, height === 3 ? 1 : height === 19 ? 3 : 2));
  expect(await missedBlocks(rpc, ours, 1, 20)).toEqual([3, 19]);
  expect(await missedBlocks(rpc, ours, 4, 18)).toEqual([]);
});

test("the gap between our signatures spans what was missed, by the votes' own times", async () => {
  const rpc = await rpcOf((_, height) => commit(height, height === 3 ? 1 : height === 4 ? 3 : 2));
  const signatures = await signaturesOf(rpc, ours, 1, 6);
  expect(signatures.map(({ height }) => height)).toEqual([1, 2, 5, 6]);
  expect(longestGapSeconds(signatures)).toBe(6.5);
  expect(longestGapSeconds([])).toBe(0);
});

test("the head's commit is read again until it is final", async () => {
  let asked = 0;
  const rpc = await rpcOf((_, height) => {
    asked += 1;
    return asked === 1 ? undefined : asked === 2 ? commit(height, 1, false) : commit(height, 2);
  });
  expect(await commitSignatures(rpc, 8, ours)).toBe('signed');
  expect(asked).toBe(3);
});

test('a height that never comes is an error with the address and the words of the node', async () => {
  const rpc = await rpcOf(() => undefined);
  await expect(commitSignatures(rpc, 9, ours)).rejects.toThrow(
    /commit\?height=9: Internal error: height 9 must/,
  );
});

test('evidence of a double vote is found with its position', async () => {
  const vote = { type: 2, height: '4', round: 1, validator_address: ours };
  const rpc = await rpcOf((_, height) => ({
    block: {
      header: { height: String(height), time: '2026-01-01T00:00:00Z' },
      evidence: {
        evidence:
          height === 6
            ? [{ type: 'tendermint/DuplicateVoteEvidence', value: { vote_a: vote, vote_b: vote } }]
            : [],
      },
    },
  }));
  expect(await duplicateVoteEvidence(rpc, 1, 10)).toEqual([
    { inHeight: 6, height: 4, round: 1, type: 2, validatorAddress: ours },
  ]);
});

test('block times are the differences of the headers, and their median', async () => {
  const rpc = await rpcOf((_, height) => commit(height, 2));
  expect(await blockTimes(rpc, 1, 5)).toEqual({ medianSeconds: 2, seconds: [2, 2, 2, 2.5] });
  expect(await blockTimes(rpc, 4, 6)).toEqual({ medianSeconds: 2, seconds: [2.5, 1.5] });
  expect(await blockTimeOf(rpc, 1)).toBe(Date.UTC(2026, 0, 1) + 2_000);
  await expect(blockTimes(rpc, 5, 5)).rejects.toThrow(RangeError);
});

test("a node that is not there, or no chain's, is an error of its address", async () => {
  const rpc = await rpcOf(() => ({ hello: 1 }));
  await expect(latestHeight(rpc)).rejects.toThrow(ChainRpcError);
  await expect(latestHeight('http://127.0.0.1:1')).rejects.toThrow('http://127.0.0.1:1/status');
});
