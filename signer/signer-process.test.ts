import { createPublicKey, verify } from 'node:crypto';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { openDynamo } from '../local-cloud/dynamodb/server.ts';
import { compareJournals, readJournal, signerStatus } from './ask.ts';
import { enrol, join as joinRecord } from './enrol.ts';
import { readHome } from './home.ts';
import { openSigningKey } from './keys/open.ts';
import { encodeFrame } from './privval/frame.ts';
import { pingRequest, pubKeyRequest } from './privval/messages.ts';
import { voteExtensionSignBytes } from './privval/sign-bytes.ts';
import { address, Bench, rawPublicKey, recordKey, stateOf, until } from './rehearsal/bench.ts';
import { chainId, message } from './rehearsal/requests.ts';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const bench = new Bench();
const { chain } = bench;

beforeAll(() =>
  bench.start((dir) => openDynamo(dir, { tables: [{ name: 'beam-sign', partitionKey: 'key' }] })),
);
afterEach(() => bench.clear());
afterAll(() => bench.stop());

test('two servers over real sockets and DynamoDB: enrol, join, sign, switch, and no journal contradicts another', async () => {
  const homeA = bench.makeHome('a');
  const homeB = bench.makeHome('b');
  const plan = await enrol({ home: homeA, guard: 'record', chainNotStarted: true });
  expect(plan).toMatchObject({ guard: 'record', thing: 'demo_a', recordKey, floor: { height: 0, step: 3 } });
  expect((await joinRecord({ home: homeB })).recordId).toBe(plan.recordId);
  expect(statSync(join(homeA, 'signer/state/state.json')).mode & 0o777).toBe(0o600);

  const nodeA = bench.startNode(homeA);
  const nodeB = bench.startNode(homeB);
  const a = await bench.startSigner(homeA);
  const b = await bench.startSigner(homeB);
  expect(await nodeA.send(pubKeyRequest(chainId))).toEqual({ kind: 'pubKey', publicKey: rawPublicKey });
  expect(await nodeA.send(pubKeyRequest('other-1'))).toMatchObject({ kind: 'error', to: 'pubKey' });
  expect(await nodeA.send(pingRequest())).toEqual({ kind: 'ping' });
  await until(stateOf(b, 'standby'), 'a standby');
  expect(await nodeB.ask({ height: 1, step: 2 })).toBe('standby');

  await bench.grantTo('demo_a');
  await until(stateOf(a, 'active'), 'an active one');
  for (const step of [1, 2, 3] as const)
    expect(await nodeA.ask({ height: 1, step, block: 'one' })).toBe('signed');
  expect(await nodeA.ask({ height: 1, step: 3, block: 'one' })).toBe('signed');
  expect(await nodeA.ask({ height: 1, step: 3, block: 'two' })).toBe('position-conflict');
  expect(await nodeA.ask({ height: 1, step: 2, block: 'one' })).toBe('position-below');
  expect(await nodeA.ask({ height: 9, step: 2, block: 'one' })).toBe('height-leap');
  chain.height = 1;
  chain.signed.add(1);

  // The holder's beat is alive, so the claim waits for a commit; its node goes away, so it yields.
  await bench.grantTo('demo_b');
  nodeA.socket?.destroy();
  nodeA.server.close();
  await until(stateOf(b, 'active'), 'a takeover');
  expect(await nodeB.ask({ height: 1, step: 3, block: 'two' })).toBe('position-conflict');
  expect(await nodeB.ask({ height: 2, step: 2, block: 'three' })).toBe('signed');
  await until(stateOf(a, 'fenced'), 'the old one fenced');

  const status = await signerStatus(homeB);
  expect(status).toMatchObject({
    state: 'active',
    epoch: 2,
    height: 2,
    address,
    signed: 1,
    nodeConnected: true,
  });
  expect(readJournal(homeA).map(({ type }) => type)).toEqual([
    'proposal',
    'prevote',
    'precommit',
    'precommit',
  ]);
  expect(compareJournals([homeA, homeB].map((home) => join(home, 'signer/state')))).toEqual([]);
}, 20_000);

test('a record below what this machine saw, or gone, is refused at a restart', async () => {
  const home = bench.makeHome('a');
  await enrol({ home, guard: 'record', chainNotStarted: true });
  const node = bench.startNode(home);
  const first = await bench.startSigner(home);
  await bench.grantTo('demo_a');
  await until(stateOf(first, 'active'), 'an active one');
  expect(await node.ask({ height: 1, step: 2 })).toBe('signed');
  const Item = await bench.record();
  await bench.stopLast();

  await bench.deleteRecord();
  const second = await bench.startSigner(home);
  await until(stateOf(second, 'refusing'), 'a refusal');
  expect(second.status().reason).toContain('is not in table beam-sign');
  const old = { ...Item, height: { N: '0' }, signBytes: { S: '' } };
  await bench.perform('PutItem', { TableName: 'beam-sign', Item: old });
  await until(() => second.status().reason?.includes('went back') ?? false, 'a record that went back');
  // What was found once stays, whatever the record shows later.
  await bench.perform('PutItem', { TableName: 'beam-sign', Item });
  await bench.stopLast();
  const third = await bench.startSigner(home);
  await until(stateOf(third, 'refusing'), 'a refusal that lasts');
  expect(await node.ask({ height: 2, step: 2 })).toBe('record-went-back');
}, 20_000);

test('while DynamoDB is away nothing is signed and the node still gets its answers; then it goes on', async () => {
  const home = bench.makeHome('a');
  await enrol({ home, guard: 'record', chainNotStarted: true });
  const node = bench.startNode(home);
  const signer = await bench.startSigner(home);
  await bench.grantTo('demo_a');
  await until(stateOf(signer, 'active'), 'an active one');
  expect(await node.ask({ height: 1, step: 2 })).toBe('signed');
  bench.dynamoUp = false;
  const askedMs = Date.now();
  expect(await node.ask({ height: 1, step: 3 })).toBe('doubt');
  expect(Date.now() - askedMs).toBeLessThan(2500);
  expect(await node.send(pingRequest())).toEqual({ kind: 'ping' });
  bench.dynamoUp = true;
  expect(await node.ask({ height: 1, step: 3 })).toBe('signed');
}, 20_000);

test('a key that is away at the moment of signing is a refusal, and the same request gets the recorded bytes signed later', async () => {
  const home = bench.makeHome('a');
  await enrol({ home, guard: 'record', chainNotStarted: true });
  const node = bench.startNode(home);
  const inFile = await openSigningKey(readHome(home).key);
  let away = true;
  const key = {
    publicKey: inFile.publicKey,
    async sign(bytes: Uint8Array, timeoutMs: number) {
      expect(timeoutMs).toBeGreaterThan(0);
      if (away) throw new Error('KMS did not answer');
      return await inFile.sign(bytes, timeoutMs);
    },
  };
  const signer = await bench.startSigner(home, key);
  await bench.grantTo('demo_a');
  await until(stateOf(signer, 'active'), 'an active one');
  expect(await node.ask({ height: 1, step: 3, block: 'one' })).toBe('key-unavailable');
  // A line stands for what may be released: these bytes, and no others at this position.
  expect(readJournal(home)).toHaveLength(1);
  away = false;
  expect(await node.ask({ height: 1, step: 3, block: 'two' })).toBe('position-conflict');
  expect(await node.ask({ height: 1, step: 3, block: 'one' })).toBe('signed');
  expect(new Set(readJournal(home).map(({ signBytesHash }) => signBytesHash)).size).toBe(1);
}, 20_000);

test('vote extensions: signed with the recorded non-nil precommit alone, and anew where the same precommit comes with another', async () => {
  const home = bench.makeHome('a');
  await enrol({ home, guard: 'record', chainNotStarted: true });
  const node = bench.startNode(home);
  const signer = await bench.startSigner(home);
  await bench.grantTo('demo_a');
  await until(stateOf(signer, 'active'), 'an active one');
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), rawPublicKey]);
  const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
  /** The extension that the answer's extension signature is over, of those given; '' where it has none. */
  const extended = async (height: number, block: string, extension?: string) => {
    const response = await node.send(
      message({ height, step: 3, block, ...(extension === undefined ? {} : { extension }) }),
    );
    if (response.kind === 'error') return response.description.split(':')[0];
    if (response.kind !== 'signVote') throw new Error(response.kind);
    const { extensionSignature } = response;
    if (extensionSignature.length === 0) return '';
    return (
      ['', 'price 1', 'price 2'].find((text) => {
        const bytes = voteExtensionSignBytes(chainId, {
          height: BigInt(height),
          round: 0,
          extension: Buffer.from(text),
        });
        return verify(null, bytes, publicKey, extensionSignature);
      }) ?? 'neither'
    );
  };
  expect(await extended(1, 'x', 'price 1')).toBe('price 1');
  expect(await extended(1, 'x', 'price 2')).toBe('price 2');
  expect(await extended(1, 'y', 'price 1')).toBe('position-conflict');
  expect(await extended(2, '')).toBe('');
  expect(await extended(3, '', 'price 1')).toBe('extension-misplaced');
  expect(readJournal(home).map(({ height, blockId }) => [height, blockId === ''])).toEqual([
    [1, false],
    [1, false],
    [2, true],
  ]);
}, 20_000);

test('metrics are scraped from a signer that runs; nothing else is served there', async () => {
  const port = await freePort();
  const home = bench.makeHome('a', true, { metrics: `127.0.0.1:${port}` });
  await enrol({ home, guard: 'record', chainNotStarted: true });
  const node = bench.startNode(home);
  const signer = await bench.startSigner(home);
  await bench.grantTo('demo_a');
  await until(stateOf(signer, 'active'), 'an active one');
  for (const step of [1, 2, 3] as const) expect(await node.ask({ height: 1, step })).toBe('signed');
  expect(await node.ask({ height: 1, step: 3, block: 'two' })).toBe('position-conflict');

  const at = `http://127.0.0.1:${port}`;
  let lines: string[] = [];
  const value = (name: string) => Number(lines.find((line) => line.startsWith(`${name} `))?.split(' ')[1]);
  // The journal's line comes behind the answer.
  await until(async () => {
    const response = await fetch(`${at}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    lines = (await response.text()).trimEnd().split('\n');
    return value('beam_signer_stage_seconds_count{stage="journal"}') === 3;
  }, 'three lines in the journal');
  expect(value('beam_signer_state{state="active"}')).toBe(1);
  expect(value('beam_signer_epoch')).toBe(1);
  expect([value('beam_signer_released_height'), value('beam_signer_released_step')]).toEqual([1, 3]);
  expect(value('beam_signer_signed_total{kind="precommit"}')).toBe(1);
  expect(value('beam_signer_refused_total{code="position-conflict"}')).toBe(1);
  expect(value('beam_signer_record_age_seconds')).toBeLessThan(5);
  const stages = { parse: 4, record: 4, fsync: 3, sign: 3, journal: 3, request: 4 };
  for (const [stage, count] of Object.entries(stages)) {
    expect([stage, value(`beam_signer_stage_seconds_count{stage="${stage}"}`)]).toEqual([stage, count]);
    expect(value(`beam_signer_stage_seconds_bucket{stage="${stage}",le="+Inf"}`)).toBe(count);
    expect(value(`beam_signer_stage_seconds_sum{stage="${stage}"}`)).toBeGreaterThan(0);
  }
  // Each sample is of a family that was announced, with a name and labels as the format has them.
  for (const line of lines) {
    expect(line).toMatch(/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z_]+="[^"\\]*",?)+\})? [0-9.e+-]+)$/);
  }
  expect((await fetch(`${at}/metrics`, { method: 'POST' })).status).toBe(405);
  expect((await fetch(`${at}/`)).status).toBe(404);
}, 20_000);

test('a node that sends what is no request is cut off, and dialled again', async () => {
  const home = bench.makeHome('a');
  const node = bench.startNode(home);
  await bench.startSigner(home);
  await until(() => node.socket !== undefined, 'a signer that dials');
  const first = node.socket;
  node.socket = undefined;
  first?.write(encodeFrame(Uint8Array.from([0x7a, 0])));
  expect(await node.send(pingRequest())).toEqual({ kind: 'ping' });
  expect(first?.destroyed || first?.readableEnded).toBe(true);
}, 20_000);

test('the control socket is its owner’s alone, answers what it does not know with an error, and pushes to watchers', async () => {
  const home = bench.makeHome('a');
  await bench.startSigner(home);
  const path = join(home, 'run/signer-control.sock');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const socket = connect(path);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  bench.uses({ stop: () => void socket.destroy() });
  socket.write('nonsense\n{"type":"sign"}\n{"type":"commit","height":4}\n{"type":"watch"}\n');
  await until(() => text.split('\n').length > 5, 'a pushed status');
  const replies = text
    .split('\n')
    .slice(0, 5)
    .map((line) => JSON.parse(line).type);
  expect(replies).toEqual(['error', 'error', 'ok', 'status', 'status']);
}, 20_000);
