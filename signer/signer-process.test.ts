import { generateKeyPairSync, verify } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import toml from '@iarna/toml';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type Dynamo, openDynamo } from '../local-cloud/dynamodb/server.ts';
import { grant, signRecordKey } from '../protocol/sign-record.ts';
import { toUpdateItem } from '../protocol/sign-record-dynamodb.ts';
import { compareJournals, readJournal, signerStatus } from './ask.ts';
import { proposalRequest, voteRequest } from './core/request.ts';
import { consensusAddress } from './core/service.ts';
import { StateInUseError } from './disk/state-lock.ts';
import { enrol, join as joinRecord } from './enrol.ts';
import { EnrolError } from './floor.ts';
import { readHome } from './home.ts';
import { loadKeyFile } from './keys/file.ts';
import { encodeFrame, FrameDecoder } from './privval/frame.ts';
import {
  type PrivvalResponse,
  parseRequest,
  parseResponse,
  pingRequest,
  pubKeyRequest,
} from './privval/messages.ts';
import { type Ask, chainId, message } from './rehearsal/requests.ts';
import { SignerProcess } from './signer-process.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const rawPublic = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
const rawPrivate = Buffer.concat([
  privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32),
  rawPublic,
]);
const address = consensusAddress(rawPublic);
const recordKey = signRecordKey(chainId, address);

/** The chain as the nodes' RPC tells it. */
const chain = { height: 0, signed: new Set<number>(), blocksALook: 0, catchingUp: false };
let root: string;
let dynamo: Dynamo;
let dynamoServer: HttpServer;
let rpc: HttpServer;
/** While false, DynamoDB's connections are cut. */
let dynamoUp = true;

const urlOf = (server: HttpServer) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'beam-signer-'));
  dynamo = await openDynamo(join(root, 'db'), { tables: [{ name: 'beam-sign', partitionKey: 'key' }] });
  dynamoServer = createHttpServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    if (!dynamoUp) return req.socket.destroy();
    await dynamo.handle(req, res, Buffer.concat(chunks));
  }).listen(0, '127.0.0.1');
  rpc = createHttpServer((req, res) => {
    const height = Number(/height=(\d+)/.exec(req.url ?? '')?.[1] ?? 0);
    const result =
      req.url === '/status'
        ? {
            node_info: { network: chainId },
            sync_info: { latest_block_height: String(chain.height), catching_up: chain.catchingUp },
          }
        : {
            signed_header: {
              header: { height: String(height), chain_id: chainId },
              commit: {
                signatures: [{ block_id_flag: chain.signed.has(height) ? 2 : 1, validator_address: address }],
              },
            },
          };
    res.end(JSON.stringify({ jsonrpc: '2.0', id: -1, result }));
    if (req.url === '/status') chain.height += chain.blocksALook;
  }).listen(0, '127.0.0.1');
  await Promise.all([once(dynamoServer, 'listening'), once(rpc, 'listening')]);
});

afterAll(async () => {
  for (const server of [dynamoServer, rpc]) {
    server.closeAllConnections();
    server.close();
  }
  await dynamo.close();
  rmSync(root, { recursive: true });
});

beforeEach(async () => {
  chain.height = 0;
  chain.blocksALook = 0;
  chain.signed.clear();
  dynamoUp = true;
  await dynamo.perform('DeleteItem', { TableName: 'beam-sign', Key: { key: { S: recordKey } } });
});

const running: { stop(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
});

let homes = 0;
function makeHome(node: string, cloud = true): string {
  const home = join(root, `h${++homes}`);
  for (const folder of ['signer', 'run', 'gaiad/data']) mkdirSync(join(home, folder), { recursive: true });
  const key = join(home, 'signer/priv_validator_key.json');
  writeFileSync(
    key,
    JSON.stringify({
      address,
      pub_key: { type: 'tendermint/PubKeyEd25519', value: rawPublic.toString('base64') },
      priv_key: { type: 'tendermint/PrivKeyEd25519', value: rawPrivate.toString('base64') },
    }),
    { mode: 0o600 },
  );
  chmodSync(key, 0o600);
  writeFileSync(join(home, 'credentials'), '[default]\naws_access_key_id = a\naws_secret_access_key = b\n');
  writeFileSync(join(home, 'node.toml'), toml.stringify({ fleet: 'demo', node, kind: 'validator' }));
  const config = {
    ...(cloud && {
      cloud: {
        mqtt: 'localhost:8883',
        region: 'local',
        https: urlOf(dynamoServer),
        certificate: 'c.pem',
        key: 'c.key',
        credentials: 'credentials',
      },
    }),
    gaiad: { command: ['gaiad'], home: 'gaiad', rpc: urlOf(rpc), p2p: 'localhost:26656' },
    signer: { chain_id: chainId },
  };
  writeFileSync(join(home, 'config.toml'), toml.stringify(config));
  return home;
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function startSigner(home: string): Promise<SignerProcess> {
  const settings = readHome(home);
  const signer = new SignerProcess({
    home: settings,
    key: loadKeyFile(settings.keyFile),
    log: silent,
    version: 'test',
    onFatal: () => {},
  });
  await signer.start();
  running.push(signer);
  return signer;
}

/** gaiad's side of the socket. */
class Node {
  readonly server: Server;
  socket: Socket | undefined;
  #decoder = new FrameDecoder();
  #waiting: ((response: PrivvalResponse) => void)[] = [];

  constructor(home: string) {
    this.server = createServer((socket) => {
      this.socket = socket;
      this.#decoder = new FrameDecoder();
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        for (const frame of this.#decoder.push(chunk)) this.#waiting.shift()?.(parseResponse(frame));
      });
    }).listen(join(home, 'run/signer.sock'));
    running.push({
      stop: () => {
        this.socket?.destroy();
        this.server.close();
      },
    });
  }

  async send(bytes: Uint8Array): Promise<PrivvalResponse> {
    await until(() => this.socket !== undefined, 'a signer that dials');
    return await new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.socket?.write(encodeFrame(bytes));
    });
  }

  /** @returns 'signed' with a signature that verifies, or the refusal's code */
  async ask(ask: Ask): Promise<string> {
    const response = await this.send(message(ask));
    if (response.kind === 'error') return response.description.split(':')[0] ?? '';
    if (response.kind !== 'signVote' && response.kind !== 'signProposal') throw new Error(response.kind);
    const request = parseRequest(message(ask));
    const asked =
      request.kind === 'signVote'
        ? voteRequest(chainId, request.vote)
        : request.kind === 'signProposal'
          ? proposalRequest(chainId, request.proposal)
          : undefined;
    const bytes = asked?.signBytesAt(asked.timestamp);
    if (!bytes || !verify(null, bytes, publicKey, response.signature))
      throw new Error('not over these bytes');
    return 'signed';
  }
}

async function until(met: () => boolean | Promise<boolean>, what: string, timeoutMs = 5000): Promise<void> {
  const untilMs = Date.now() + timeoutMs;
  while (!(await met())) {
    if (Date.now() > untilMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function grantTo(thing: string): Promise<void> {
  const read = await dynamo.perform('GetItem', { TableName: 'beam-sign', Key: { key: { S: recordKey } } });
  const item = (read.body as { Item: Record<string, { S: string; N: string }> }).Item;
  const seen = { recordId: item.recordId?.S ?? '', grantEpoch: Number(item.grantEpoch?.N) };
  const done = await dynamo.perform('UpdateItem', {
    ...toUpdateItem('beam-sign', grant(recordKey, seen, thing)),
  });
  expect(done.status).toBe(200);
}

const stateOf = (signer: SignerProcess, state: string) => () => signer.status().state === state;

test('two servers over real sockets and DynamoDB: enrol, join, sign, switch, and no journal contradicts another', async () => {
  const homeA = makeHome('a');
  const homeB = makeHome('b');
  const plan = await enrol({ home: homeA, guard: 'record', chainNotStarted: true });
  expect(plan).toMatchObject({ guard: 'record', thing: 'demo_a', recordKey, floor: { height: 0, step: 3 } });
  expect((await joinRecord({ home: homeB })).recordId).toBe(plan.recordId);
  expect(statSync(join(homeA, 'signer/state/state.json')).mode & 0o777).toBe(0o600);

  const nodeA = new Node(homeA);
  const nodeB = new Node(homeB);
  const a = await startSigner(homeA);
  const b = await startSigner(homeB);
  expect(await nodeA.send(pubKeyRequest(chainId))).toEqual({ kind: 'pubKey', publicKey: rawPublic });
  expect(await nodeA.send(pubKeyRequest('other-1'))).toMatchObject({ kind: 'error', to: 'pubKey' });
  expect(await nodeA.send(pingRequest())).toEqual({ kind: 'ping' });
  await until(stateOf(b, 'standby'), 'a standby');
  expect(await nodeB.ask({ height: 1, step: 2 })).toBe('standby');

  await grantTo('demo_a');
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
  await grantTo('demo_b');
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
  const home = makeHome('a');
  await enrol({ home, guard: 'record', chainNotStarted: true });
  const node = new Node(home);
  const first = await startSigner(home);
  await grantTo('demo_a');
  await until(stateOf(first, 'active'), 'an active one');
  expect(await node.ask({ height: 1, step: 2 })).toBe('signed');
  const { body } = await dynamo.perform('GetItem', {
    TableName: 'beam-sign',
    Key: { key: { S: recordKey } },
  });
  const { Item } = body as { Item: Record<string, object> };
  await running.pop()?.stop();

  await dynamo.perform('DeleteItem', { TableName: 'beam-sign', Key: { key: { S: recordKey } } });
  const second = await startSigner(home);
  await until(stateOf(second, 'refusing'), 'a refusal');
  expect(second.status().reason).toContain('is not in table beam-sign');
  const old = { ...Item, height: { N: '0' }, signBytes: { S: '' } };
  await dynamo.perform('PutItem', { TableName: 'beam-sign', Item: old });
  await until(() => second.status().reason?.includes('went back') ?? false, 'a record that went back');
  // What was found once stays, whatever the record shows later.
  await dynamo.perform('PutItem', { TableName: 'beam-sign', Item });
  await running.pop()?.stop();
  const third = await startSigner(home);
  await until(stateOf(third, 'refusing'), 'a refusal that lasts');
  expect(await node.ask({ height: 2, step: 2 })).toBe('record-went-back');
}, 20_000);

test('while DynamoDB is away nothing is signed and the node still gets its answers; then it goes on', async () => {
  const home = makeHome('a');
  await enrol({ home, guard: 'record', chainNotStarted: true });
  const node = new Node(home);
  const signer = await startSigner(home);
  await grantTo('demo_a');
  await until(stateOf(signer, 'active'), 'an active one');
  expect(await node.ask({ height: 1, step: 2 })).toBe('signed');
  dynamoUp = false;
  const askedMs = Date.now();
  expect(await node.ask({ height: 1, step: 3 })).toBe('doubt');
  expect(Date.now() - askedMs).toBeLessThan(2500);
  expect(await node.send(pingRequest())).toEqual({ kind: 'ping' });
  dynamoUp = true;
  expect(await node.ask({ height: 1, step: 3 })).toBe('signed');
}, 20_000);

test('one process a state folder; the enrolment says what is wrong', async () => {
  const home = makeHome('a');
  await expect(joinRecord({ home })).rejects.toThrow(/has no sign record/);
  await enrol({ home, guard: 'record', chainNotStarted: true });
  await expect(enrol({ home, guard: 'record', chainNotStarted: true })).rejects.toThrow(/enrolled already/);
  await expect(joinRecord({ home })).rejects.toThrow(EnrolError);
  await expect(enrol({ home: makeHome('b'), guard: 'record', chainNotStarted: true })).rejects.toThrow(
    /signer join/,
  );
  await expect(enrol({ home: makeHome('b'), guard: 'local', chainNotStarted: true })).rejects.toThrow(
    /double sign/,
  );
  await startSigner(home);
  await expect(startSigner(home)).rejects.toThrow(StateInUseError);
  chain.height = 5;
  await expect(enrol({ home: makeHome('c', false), guard: 'local', chainNotStarted: true })).rejects.toThrow(
    /is at height 5/,
  );
}, 20_000);

test('a node that catches up bears nothing out: no "not started" over its blocks, no signature before it is level', async () => {
  const home = makeHome('a', false);
  chain.catchingUp = true;
  try {
    writeFileSync(join(home, 'gaiad/data/blockstore.db'), '');
    await expect(enrol({ home, guard: 'local', chainNotStarted: true })).rejects.toThrow(
      /blockstore\.db shows that this node has run/,
    );
    rmSync(join(home, 'gaiad/data/blockstore.db'));
    mkdirSync(join(home, 'gaiad/config'));
    const genesis = join(home, 'gaiad/config/genesis.json');
    writeFileSync(genesis, JSON.stringify({ genesis_time: '2024-01-01T00:00:00Z', chain_id: chainId }));
    await expect(enrol({ home, guard: 'local', chainNotStarted: true })).rejects.toThrow(
      /has started by now/,
    );
    rmSync(genesis);
    await enrol({ home, guard: 'local', chainNotStarted: true });
    const node = new Node(home);
    await startSigner(home);
    expect(await node.ask({ height: 1, step: 2 })).toBe('unvetted');
    chain.catchingUp = false;
    expect(await node.ask({ height: 1, step: 3 })).toBe('signed');
  } finally {
    chain.catchingUp = false;
  }
}, 20_000);

test('a running chain is enrolled after ten blocks without our signature, while the unenrolled signer serves the node', async () => {
  const home = makeHome('a', false);
  const node = new Node(home);
  const signer = await startSigner(home);
  expect(await node.send(pubKeyRequest(chainId))).toMatchObject({ kind: 'pubKey' });
  expect(await node.ask({ height: 40, step: 2 })).toBe('not-enrolled');
  chain.height = 100;
  chain.signed.add(105);
  writeFileSync(
    join(home, 'gaiad/data/priv_validator_state.json'),
    JSON.stringify({ height: '109', round: 0, step: 3 }),
  );
  chain.blocksALook = 3;
  const seen: string[] = [];
  const { floor } = await enrol({
    home,
    guard: 'local',
    onProgress: ({ height, quiet, signed }) => seen.push(`${height}:${quiet}:${signed}`),
  });
  chain.blocksALook = 0;
  expect(seen.slice(0, 3)).toEqual(['104:1:false', '105:0:true', '106:1:false']);
  expect(seen.at(-1)).toBe('115:10:false');
  expect(floor.height).toBeGreaterThanOrEqual(117);
  await until(stateOf(signer, 'local'), 'the enrolment taken up');
  expect(await node.ask({ height: floor.height, step: 2 })).toBe('position-below');
  expect(await node.ask({ height: floor.height + 1, step: 2 })).toBe('signed');
  expect(JSON.parse(readFileSync(join(home, 'signer/state/state.json'), 'utf8')).own.height).toBe(
    floor.height + 1,
  );
}, 20_000);

test('invariant 7: a state of another machine is refused, and so is other configuration than the enrolled one', async () => {
  const home = makeHome('a');
  await enrol({ home, guard: 'local', chainNotStarted: true });
  const file = join(home, 'signer/state/state.json');
  const state = JSON.parse(readFileSync(file, 'utf8'));
  for (const [change, said] of [
    [{ machine: 'another' }, 'made on another machine'],
    [{ thing: 'demo_b' }, "this server's thing name (node.toml) is demo_a, enrolled was demo_b"],
    [{ chainId: 'c-9' }, '[signer] chain_id is rehearsal-1, enrolled was c-9'],
    [{ publicKey: 'AAAA' }, 'the consensus key is'],
  ] as const) {
    writeFileSync(file, JSON.stringify({ ...state, ...change }));
    const signer = await startSigner(home);
    expect(signer.status()).toMatchObject({ state: 'refusing', reason: expect.stringContaining(said) });
    await running.pop()?.stop();
  }
  // Configuration that is missing never changes the guard.
  writeFileSync(
    file,
    JSON.stringify({
      ...state,
      guard: 'record',
      record: { table: 'beam-sign', key: recordKey, recordId: 'r-1234567' },
    }),
  );
  const config = join(home, 'config.toml');
  const text = readFileSync(config, 'utf8');
  writeFileSync(config, text.slice(text.indexOf('[gaiad]')));
  const signer = await startSigner(home);
  expect(signer.status()).toMatchObject({ state: 'refusing', reason: expect.stringContaining('no [cloud]') });
  rmSync(file);
  await running.pop()?.stop();
  expect((await startSigner(home)).status()).toMatchObject({
    state: 'refusing',
    reason: expect.stringContaining('is gone'),
  });
}, 20_000);

test('invariant 7: key and state never lie in gaiad’s home; a path too long for a socket is told', () => {
  const home = makeHome('a');
  const config = join(home, 'config.toml');
  const text = readFileSync(config, 'utf8');
  for (const [line, said] of [
    ['key = "gaiad/config/priv_validator_key.json"', "signer.key.*lies in gaiad's home"],
    ['state = "gaiad/data"', "signer.state.*lies in gaiad's home"],
    [`control = "run/${'x'.repeat(90)}.sock"`, 'signer.control.*107 bytes'],
    ['color = "red"', 'signer.color: no such setting'],
  ] as const) {
    writeFileSync(config, `${text}\n${line}\n`);
    expect(() => readHome(home)).toThrow(new RegExp(said));
  }
});

test('a node that sends what is no request is cut off, and dialled again', async () => {
  const home = makeHome('a');
  const node = new Node(home);
  await startSigner(home);
  await until(() => node.socket !== undefined, 'a signer that dials');
  const first = node.socket;
  node.socket = undefined;
  first?.write(encodeFrame(Uint8Array.from([0x7a, 0])));
  expect(await node.send(pingRequest())).toEqual({ kind: 'ping' });
  expect(first?.destroyed || first?.readableEnded).toBe(true);
}, 20_000);

test('the control socket is its owner’s alone, answers what it does not know with an error, and pushes to watchers', async () => {
  const home = makeHome('a');
  await startSigner(home);
  const path = join(home, 'run/signer-control.sock');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const socket = connect(path);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  running.push({ stop: () => void socket.destroy() });
  socket.write('nonsense\n{"type":"sign"}\n{"type":"commit","height":4}\n{"type":"watch"}\n');
  await until(() => text.split('\n').length > 5, 'a pushed status');
  const replies = text
    .split('\n')
    .slice(0, 5)
    .map((line) => JSON.parse(line).type);
  expect(replies).toEqual(['error', 'error', 'ok', 'status', 'status']);
}, 20_000);
