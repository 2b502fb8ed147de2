import { createServer } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { newKeyPair, nodeIdOf } from './keys.ts';
import { PeerSet } from './peer-set.ts';

let ending = new AbortController();
afterEach(() => {
  ending.abort();
  ending = new AbortController();
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

interface TestNode {
  set: PeerSet;
  id: string;
  port: number;
  errors: string[];
  end(): void;
}

async function node(
  options: {
    dial?: { id: string; port: number }[];
    pex?: boolean;
    chainId?: string;
    inboundMax?: number;
    port?: number;
  } = {},
): Promise<TestNode> {
  const key = newKeyPair();
  const port = options.port ?? (await freePort());
  const own = new AbortController();
  const errors: string[] = [];
  const set = new PeerSet({
    key,
    self: { chainId: options.chainId ?? 'c-1', moniker: 'm', listen: '', rpc: '' },
    listen: { host: '127.0.0.1', port },
    dial: (options.dial ?? []).map((peer) => ({ ...peer, host: '127.0.0.1' })),
    pex: options.pex ?? false,
    inboundMax: options.inboundMax ?? 40,
    unconditional: [],
    log: {
      debug: () => undefined,
      info: () => undefined,
      error: (text, fields) => errors.push(`${text} ${fields?.err ?? ''}`),
    },
    signal: AbortSignal.any([own.signal, ending.signal]),
    now: Date.now,
    onReachable: () => undefined,
  });
  await set.start();
  return { set, id: nodeIdOf(key.publicKey), port, errors, end: () => own.abort() };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tried = 0; !condition(); tried++) {
    if (tried > 150) throw new Error(`never: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('the way to the chain goes over peers, and is gone with them', async () => {
  const sentry = await node({ pex: true });
  const validator = await node({ dial: [sentry] });
  const behind = await node({ dial: [validator] });
  expect(validator.set.reachable).toBe(false);
  await until(() => validator.set.reachable && behind.set.reachable);
  expect(validator.set.peers).toHaveLength(2);
  sentry.end();
  await until(() => !validator.set.reachable && !behind.set.reachable);
  expect(behind.set.peers).toHaveLength(1);
});

test('two that dial each other end with one connection', async () => {
  const port = await freePort();
  const first = await node({ pex: true });
  const second = await node({ dial: [first], port });
  const third = await node({ dial: [first, second] });
  await until(() => [first, second, third].every(({ set }) => set.peers.length === 2));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect([first, second, third].map(({ set }) => set.peers.length)).toEqual([2, 2, 2]);
});

test('a foreign chain, a wrong id and a full node are told, and not peers', async () => {
  const full = await node({ inboundMax: 0 });
  const other = await node({ chainId: 'c-2' });
  const known = await node();
  const dialler = await node({ dial: [full, other, { id: 'ab'.repeat(20), port: known.port }] });
  await until(() => dialler.errors.length >= 2);
  expect(dialler.errors.join('\n')).toContain("the peer is on network 'c-2', not 'c-1'");
  expect(dialler.errors.join('\n')).toContain('mismatch');
  await until(() => dialler.set.peers.length === 0);
  expect(full.set.peers).toHaveLength(0);
});
