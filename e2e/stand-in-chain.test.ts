/** The stand-in chain as processes, asked over its RPC, with signers of this test's own. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import * as z from 'zod';
import { addressOf, validatorKeyFile } from '../local-chain/keys.ts';
import { duplicateVotes } from './duplicate-votes.ts';
import { type Decision, TestSigner } from './test-signer.ts';

const script = join(process.env.BEAM_BUNDLES ?? '', 'stand-in-chain.js');
const chainId = 'standin-1';
const refuse = (): Decision => ({ refuse: 'stands by' });

let folder: string;
let processes: ChildProcess[] = [];
let signers: TestSigner[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'beam-stand-in-'));
});
afterEach(async () => {
  for (const signer of signers) signer.stop();
  const running = processes.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(running.map((child) => new Promise((resolve) => child.once('exit', resolve))));
  processes = [];
  signers = [];
  rmSync(folder, { recursive: true, force: true });
});

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

const made = z.object({
  standIn: z.literal(true),
  chainId: z.literal(chainId),
  keyFile: z.string(),
  homes: z.record(z.string(), z.object({ home: z.string(), nodeId: z.string() })),
});

interface TestNode {
  name: string;
  home: string;
  nodeId: string;
  p2pPort: number;
  rpc: string;
  socket: string;
}

interface TestChain {
  nodes: Record<string, TestNode>;
  seed: Buffer;
  keyFile: string;
  address: string;
  node(name: string): TestNode;
}

async function makeChain(names: string[], blockSeconds: number): Promise<TestChain> {
  const ports = await freePorts(2 * names.length);
  const specs = names.map((name, index) => ({
    name,
    p2pPort: ports[2 * index] ?? 0,
    rpcPort: ports[2 * index + 1] ?? 0,
    validator: true,
  }));
  const out = join(folder, 'chain');
  const args = ['make', '--out', out, '--chain-id', chainId, '--block-seconds', String(blockSeconds)];
  const text = execFileSync(process.execPath, [script, ...args, '--nodes', JSON.stringify(specs), '--json'], {
    encoding: 'utf8',
  });
  const { keyFile, homes } = made.parse(JSON.parse(text));
  const key = validatorKeyFile.parse(JSON.parse(readFileSync(keyFile, 'utf8')));
  const nodes = Object.fromEntries(
    specs.map(({ name, p2pPort, rpcPort }) => {
      const { home, nodeId } = homes[name] ?? { home: '', nodeId: '' };
      const rpc = `http://127.0.0.1:${rpcPort}`;
      return [name, { name, home, nodeId, p2pPort, rpc, socket: join(folder, `${name}.sock`) }];
    }),
  );
  const node = (name: string): TestNode => {
    const found = nodes[name];
    if (!found) throw new Error(`no node ${name}`);
    return found;
  };
  return { nodes, keyFile, seed: key.seed, address: addressOf(key.publicKey), node };
}

/** Changes `key = …` of config.toml, in whatever table it stands first. */
function setConfig(
  { home }: TestNode,
  settings: Record<string, string | boolean | number>,
  file = 'config.toml',
): void {
  const path = join(home, 'config', file);
  let text = readFileSync(path, 'utf8');
  for (const [key, value] of Object.entries(settings)) {
    text = text.replace(new RegExp(`^${key} = .*$`, 'm'), `${key} = ${JSON.stringify(value)}`);
  }
  writeFileSync(path, text);
}

interface Started {
  child: ChildProcess;
  output(): string;
  exited: Promise<number | null>;
}

function startNode({ home }: TestNode, ...flags: string[]): Started {
  const child = spawn(process.execPath, [script, 'start', '--home', home, ...flags]);
  processes.push(child);
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  return { child, output: () => output, exited: new Promise((resolve) => child.once('exit', resolve)) };
}

/** A node with a signer: the socket's file of an earlier run is removed first, as a pilot does. */
function startValidator(
  chain: TestChain,
  name: string,
  decide?: () => Decision,
): Started & { signer: TestSigner } {
  const node = chain.node(name);
  rmSync(node.socket, { force: true });
  setConfig(node, { priv_validator_laddr: `unix://${node.socket}` });
  const signer = new TestSigner({
    seed: chain.seed,
    path: node.socket,
    chainId,
    ...(decide ? { decide } : {}),
  });
  signers.push(signer.start());
  return { ...startNode(node), signer };
}

const rpcResult = z.object({ result: z.unknown() });
async function rpc<T>(node: TestNode, path: string, schema: z.ZodType<T>): Promise<T> {
  const response = await fetch(`${node.rpc}/${path}`);
  return schema.parse(rpcResult.parse(await response.json()).result);
}

const statusShape = z.object({
  node_info: z.object({ version: z.string(), id: z.string() }),
  sync_info: z.object({ latest_block_height: z.string().transform(Number), catching_up: z.boolean() }),
});
const status = (node: TestNode) => rpc(node, 'status', statusShape);
const heightOf = async (node: TestNode) => (await status(node)).sync_info.latest_block_height;

const commitShape = z.object({
  canonical: z.boolean(),
  signed_header: z.object({
    commit: z.object({
      round: z.number(),
      signatures: z.array(z.object({ block_id_flag: z.number(), validator_address: z.string() })),
    }),
  }),
});
async function signedBy(node: TestNode, height: number, address: string): Promise<boolean> {
  const { signed_header } = await rpc(node, `commit?height=${height}`, commitShape);
  return signed_header.commit.signatures.some(
    (signature) => signature.block_id_flag === 2 && signature.validator_address === address,
  );
}

async function until(condition: () => Promise<boolean> | boolean, timeoutMs = 15_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    if (
      await Promise.resolve()
        .then(condition)
        .catch(() => false)
    )
      return;
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${condition.toString()}`);
    await delay(50);
  }
}
const reaches = (node: TestNode, height: number) => until(async () => (await heightOf(node)) >= height);

async function signedFrom(node: TestNode, address: string, from: number, to: number): Promise<number> {
  let signed = 0;
  for (let height = from; height <= to; height++) if (await signedBy(node, height, address)) signed++;
  return signed;
}

test('a signer gets into every commit, asked in the order of gaiad', async () => {
  const chain = await makeChain(['a'], 0.5);
  const a = chain.node('a');
  const { signer } = startValidator(chain, 'a');
  await reaches(a, 8);
  expect(await signedFrom(a, chain.address, 1, 7)).toBe(7);
  expect(signer.asked.slice(0, 4)).toEqual(['pubKey', 'pubKey', 'pubKey', 'pubKey']);
  const text = signer.asked.join(' ');
  expect(text).toMatch(/ 2\/0\/1 2\/0\/2 pubKey /);
  expect(text).toMatch(/ (\d)\/0\/32 \1\/0\/1 \1\/0\/2 pubKey/);
  expect((await status(a)).node_info.version).toContain('stand-in');
  expect((await rpc(a, 'commit?height=7', commitShape)).canonical).toBe(true);
  const beyond = await fetch(`${a.rpc}/block?height=1000`);
  expect(beyond.status).toBe(500);
  expect(await beyond.text()).toContain('must be less than or equal to the current blockchain height');

  const socket = new WebSocket(`${a.rpc.replace('http', 'ws')}/websocket`);
  const messages: string[] = [];
  socket.on('message', (data) => messages.push(data.toString()));
  await new Promise((resolve) => socket.once('open', resolve));
  const query = "tm.event='NewBlock'";
  socket.send(JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'subscribe', params: { query } }));
  await until(() => messages.length >= 3);
  socket.terminate();
  expect(messages[0]).toBe('{"jsonrpc":"2.0","id":7,"result":{}}');
  expect(messages[1]).toContain('"type":"tendermint/event/NewBlock"');
});

test('a refusing standby stays level; it takes over when the first node is killed, and the chain never stops', async () => {
  const chain = await makeChain(['a', 'b', 's'], 1);
  const [a, b, s] = [chain.node('a'), chain.node('b'), chain.node('s')];
  const sentryPeer = `${s.nodeId}@127.0.0.1:${s.p2pPort}`;
  for (const node of [a, b]) setConfig(node, { pex: false, persistent_peers: sentryPeer });
  let standby = true;
  const first = startValidator(chain, 'a');
  startValidator(chain, 'b', () => (standby ? refuse() : 'sign'));
  startNode(s);
  await reaches(b, 4);
  expect(await signedFrom(b, chain.address, 2, 3)).toBe(2);
  const peersOf = async (node: TestNode) =>
    (await rpc(node, 'net_info', z.object({ n_peers: z.string() }))).n_peers;
  expect([await peersOf(a), await peersOf(b), await peersOf(s)]).toEqual(['1', '1', '2']);

  first.child.kill('SIGKILL');
  standby = false;
  const killedAt = await heightOf(b);
  await reaches(b, killedAt + 5);
  expect(await signedFrom(b, chain.address, killedAt + 1, killedAt + 4)).toBeGreaterThanOrEqual(3);
  await until(async () => (await peersOf(s)) === '1');
  const block = await rpc(
    b,
    'block',
    z.object({ block: z.object({ evidence: z.object({ evidence: z.array(z.any()) }) }) }),
  );
  expect(block.block.evidence.evidence).toEqual([]);
  expect(Math.abs((await heightOf(s)) - (await heightOf(b)))).toBeLessThanOrEqual(1);
});

test('two votes at one position: evidence in a block, a slash, and out of the set', async () => {
  const chain = await makeChain(['a', 'b'], 0.5);
  const [a, b] = [chain.node('a'), chain.node('b')];
  startValidator(chain, 'a');
  startValidator(chain, 'b');
  await reaches(a, 1);
  // Their nodes' votes agree as long as both are level, so the second vote comes from outside.
  const height = (await heightOf(a)) - 1;
  const evidence = duplicateVotes({ seed: chain.seed, chainId, height });
  const answer = await fetch(a.rpc, {
    method: 'POST',
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'broadcast_evidence', params: { evidence } }),
  });
  expect(answer.status).toBe(200);
  const validators = z.object({ validators: z.array(z.object({ address: z.string() })) });
  await until(async () => {
    const { validators: now } = await rpc(b, 'validators', validators);
    return now.every(({ address }) => address !== chain.address);
  });
  const results = z.object({ finalize_block_events: z.array(z.object({ type: z.string() })) });
  const head = await heightOf(b);
  const found: string[] = [];
  for (let at = 1; at <= head; at++) {
    const text = JSON.stringify(await rpc(b, `block?height=${at}`, z.unknown()));
    if (text.includes('tendermint/DuplicateVoteEvidence')) {
      const { finalize_block_events } = await rpc(b, `block_results?height=${at}`, results);
      found.push(...finalize_block_events.map(({ type }) => type));
    }
  }
  expect(found).toEqual(['slash']);
});

test('a frozen node that wakes asks for nil at heights that are long decided: a careless signer is found out', async () => {
  const chain = await makeChain(['a', 'b'], 0.5);
  const a = chain.node('a');
  startValidator(chain, 'a');
  const { child, signer } = startValidator(chain, 'b');
  await reaches(a, 2);
  await until(async () => (await heightOf(chain.node('b'))) >= 1);
  child.kill('SIGSTOP');
  await reaches(a, (await heightOf(a)) + 4);
  child.kill('SIGCONT');
  await until(() => signer.asked.filter((asked) => asked.endsWith('/2 nil')).length >= 2);
  const validators = z.object({ count: z.string() });
  await until(async () => (await rpc(a, 'validators', validators)).count === '3');
});

test('a node that starts late catches up; one without a way to the chain stands', async () => {
  const chain = await makeChain(['a', 'late', 'lost'], 0.5);
  const [a, late, lost] = [chain.node('a'), chain.node('late'), chain.node('lost')];
  setConfig(lost, { pex: false, persistent_peers: `${'0'.repeat(40)}@127.0.0.1:${a.p2pPort}` });
  // This one signs by itself, as gaiad with a key file in its home.
  copyFileSync(chain.keyFile, join(a.home, 'config/priv_validator_key.json'));
  startNode(a);
  const { output } = startNode(lost);
  await reaches(a, 6);
  expect(await signedFrom(a, chain.address, 2, 5)).toBe(4);
  setConfig(late, { pex: false, persistent_peers: `${a.nodeId}@127.0.0.1:${a.p2pPort}` });
  startNode(late);
  const startedAt = Date.now();
  const seen = new Set<boolean>();
  await until(async () => {
    const { sync_info } = await status(late);
    seen.add(sync_info.catching_up);
    return !sync_info.catching_up && sync_info.latest_block_height >= (await heightOf(a)) - 1;
  }, 4_000);
  expect([...seen].sort()).toEqual([false, true]);
  expect(Date.now() - startedAt).toBeLessThan(4_000);
  expect(await status(lost)).toMatchObject({ sync_info: { latest_block_height: 0, catching_up: true } });
  expect(output()).toContain('mismatch');
});

test('a configuration that gaiad would refuse ends the start, with the name of the setting', async () => {
  const chain = await makeChain(['a'], 1);
  const a = chain.node('a');
  const path = join(a.home, 'config/config.toml');
  const good = readFileSync(path, 'utf8');
  const refused: [string, string, string][] = [
    ['timeout_commit = "1000ms"', 'timeout_commit = "-1s"', 'consensus.timeout_commit'],
    ['pex = true', 'pex = "perhaps"', 'p2p.pex'],
    ['moniker = "a"', 'moniker = [', 'While parsing config'],
  ];
  for (const [from, to, named] of refused) {
    writeFileSync(path, good.replace(from, to));
    const { exited, output } = startNode(a);
    expect(await exited).toBe(1);
    expect(output()).toContain(named);
  }
});

test('no signer, or a stale socket, ends the start as gaiad does', async () => {
  const chain = await makeChain(['a'], 1);
  const a = chain.node('a');
  setConfig(a, { priv_validator_laddr: `unix://${a.socket}` });
  const waiting = startNode(a);
  expect(await waiting.exited).toBe(1);
  expect(waiting.output()).toContain("can't get pubkey: send: endpoint connection timed out");
  expect(existsSync(a.socket)).toBe(true);
  const blocked = startNode(a);
  expect(await blocked.exited).toBe(1);
  expect(blocked.output()).toContain('address already in use');
  // After an orderly end it is there all the same.
  const { child, exited, output } = startValidator(chain, 'a');
  await until(() => output().includes('started'));
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
  expect(existsSync(a.socket)).toBe(true);
});

test('a signer that was away is asked again; its node alone waits for it', async () => {
  const chain = await makeChain(['a', 's'], 1);
  const [a, s] = [chain.node('a'), chain.node('s')];
  const { signer } = startValidator(chain, 'a');
  startNode(s);
  await reaches(a, 2);
  signer.stop();
  await reaches(s, (await heightOf(a)) + 3);
  expect((await heightOf(s)) - (await heightOf(a))).toBeGreaterThanOrEqual(1);
  const again = new TestSigner({ seed: chain.seed, path: a.socket, chainId });
  signers.push(again.start());
  await until(async () => (await heightOf(s)) - (await heightOf(a)) <= 0, 10_000);
  await until(async () => signedBy(s, (await heightOf(s)) - 1, chain.address));
  // What the chain decided meanwhile was asked for too, as nil.
  expect(again.asked.some((asked) => asked.endsWith('nil'))).toBe(true);
});
