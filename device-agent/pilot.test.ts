/** A whole pilot with a real broker over TLS and a real process in gaiad's place. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import { eventually, openTestCloud, type TestCloud } from '../local-cloud/core-fixture.ts';
import { overlayHash } from '../protocol/overlay-hash.ts';
import { reportedGaiad, type ShadowName } from '../protocol/shadows.ts';
import type { Stage } from '../protocol/stages.ts';
import { AwsCloudLink } from './cloud/aws-cloud-link.ts';
import { readCredentials } from './cloud/credentials.ts';
import { Line, portOf } from './cloud/line.ts';
import { initHome } from './commands/init.ts';
import { readPilotStatus } from './commands/status.ts';
import { loadHome } from './home/load-home.ts';
import { Pilot } from './pilot.ts';
import { FakeSigner } from './role/fake-signer.ts';

/** Of one thing to come about; a test is several. */
const waitMs = 15_000;
jest.setTimeout(60_000);
const log = pino({ level: process.env.BEAM_TEST_LOG ?? 'silent' });
let cloud: TestCloud;
let count = 0;

beforeAll(async () => {
  cloud = await openTestCloud();
});
afterAll(async () => {
  await cloud.close();
  // The SDK's native client holds the process up until its wrapper is collected: some 20 s otherwise.
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
});

async function freePort(): Promise<number> {
  return new Promise((free) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const port = portOf(server);
      server.close(() => free(port));
    });
  });
}

let root: string;
let thing: string;
let pilot: Pilot | undefined;
let heard: { topic: string; body: Record<string, unknown> }[];

beforeEach(async () => {
  await makeServer('sentry');
});

async function makeServer(kind: 'sentry' | 'validator', mode: Stage = 'sign'): Promise<void> {
  const node = `n${++count}`;
  thing = `demo_${node}`;
  root = mkdtempSync(join(tmpdir(), 'beam-pilot-'));
  const device = await cloud.device(thing);
  const rpcPort = await freePort();
  mkdirSync(join(root, 'gaiad/config'), { recursive: true });
  writeFileSync(
    join(root, 'gaiad/config/config.toml'),
    `# ours\nmoniker = "good"\ngenesis = ${Date.now() - 100_000}\nrpc_port = ${rpcPort}\n[p2p]\npex = true\n[consensus]\ndouble_sign_check_height = 5\n`,
  );
  await initHome({
    home: root,
    node: { fleet: 'demo', node, kind, zone: 'z' },
    config: {
      mode,
      cloud: {
        mqtt: cloud.ready.mqtt,
        region: 'local',
        ca: cloud.ready.ca,
        certificate: device.certificatePath,
        key: device.keyPath,
      },
      gaiad: {
        command: [process.execPath, resolve('device-agent/gaiad/fake-gaiad.js')],
        home: 'gaiad',
        rpc: `http://127.0.0.1:${rpcPort}`,
        p2p: '10.0.0.1:26656',
      },
      ...(kind === 'validator' ? { signer: { chain_id: 'fake-1' } } : {}),
      status: { port: 0 },
      health: { seconds: 1 },
    },
  });
  heard = [];
  const listener = await cloud.connect(await cloud.device(`operator-${count}`));
  listener.on('message', (topic, payload) => heard.push({ topic, body: JSON.parse(payload.toString()) }));
  await listener.subscribeAsync(`beam/demo/${thing}/#`);
  pilot = undefined;
}

afterEach(async () => {
  await pilot?.stop();
  const pid = gaiadPid();
  if (pid !== undefined) kill(pid);
  rmSync(root, { recursive: true, force: true });
});

async function startPilot(endpoint = cloud.ready.mqtt): Promise<void> {
  // A new server waits some seconds for its first overlay, if only an empty one.
  if (!cloud.core.shadows.read(key('gaiad'))) await desire('gaiad', { config: {} });
  const home = await loadHome(root);
  const { cloud: settings } = home.config;
  if (!settings) throw new Error('these homes have a cloud');
  const credentials = await readCredentials(home, settings, Date.now());
  pilot = new Pilot(
    home,
    (subscriptions, events) =>
      new AwsCloudLink({ endpoint, clientId: home.thing, ...credentials, subscriptions, log }, events),
    log,
  );
  await pilot.start();
}

function gaiadPid(): number | undefined {
  try {
    return JSON.parse(readFileSync(join(root, 'run/gaiad.json'), 'utf8')).pid;
  } catch {
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

const key = (shadow: ShadowName) => ({ thing, shadow });

async function desire(shadow: ShadowName, desired: object): Promise<void> {
  const payload = Buffer.from(JSON.stringify({ state: { desired } }));
  await cloud.core.shadows.request(key(shadow), 'update', payload, { via: 'https' });
}

function reported(shadow: ShadowName): Record<string, unknown> {
  const document = cloud.core.shadows.read(key(shadow)) as
    | { state: { reported?: Record<string, unknown> } }
    | undefined;
  return document?.state.reported ?? {};
}

const gaiadIs = (state: string, overlay: object = {}) =>
  eventually(() => {
    const now = reported('gaiad');
    return now.state === state && now.overlay === overlayHash(overlay) && now.lastGood === now.overlay;
  }, waitMs);

const configText = () => readFileSync(join(root, 'gaiad/config/config.toml'), 'utf8');

test('a new server takes its overlay before gaiad first starts, reports, and its gaiad outlives the pilot', async () => {
  const overlay = { 'config.toml': { p2p: { pex: false } } };
  await desire('gaiad', { config: overlay });
  await startPilot();
  await gaiadIs('running', overlay);
  // One start: the overlay was there first.
  expect(heard.filter(({ topic }) => topic.endsWith('/gaiad-started'))).toHaveLength(1);
  expect(configText()).toContain('# ours\n');
  expect(configText()).toContain('pex = false');
  await eventually(() => reported('status').chainId === 'fake-1', waitMs);
  expect(reported('status')).toMatchObject({ p2p: '10.0.0.1:26656', kind: 'sentry', catchingUp: false });
  expect(reported('role')).toMatchObject({ role: 'sentry', epoch: 0 });
  await eventually(
    () => heard.some(({ topic, body }) => topic.endsWith('/health') && 'height' in (body.gaiad as object)),
    waitMs,
  );
  expect(await readPilotStatus(root)).toMatchObject({
    thing,
    gaiad: { state: 'running', pid: gaiadPid() },
    troubles: [],
  });

  const pid = gaiadPid();
  await pilot?.stop();
  await startPilot();
  await eventually(() => reported('gaiad').state === 'running', waitMs);
  expect(gaiadPid()).toBe(pid);
  expect(heard.filter(({ topic }) => topic.endsWith('/gaiad-started'))).toHaveLength(1);
  await eventually(() => new Set(heard.map(({ body }) => body.bootId)).size === 2, waitMs);
});

test('a first overlay that is rejected is rejected once, and gaiad starts with its own configuration', async () => {
  await desire('gaiad', { config: { 'config.toml': { p2p: { pecks: true } } } });
  await startPilot();
  await gaiadIs('running');
  const alerts = heard.filter(({ topic }) => topic.endsWith('/alert/config-rejected'));
  expect(alerts).toHaveLength(1);
  expect(configText()).toContain('pex = true');
});

test('a pilot that ends in a trial leaves it to the next one, which ends it', async () => {
  await startPilot();
  await gaiadIs('running');
  const before = configText();
  await desire('gaiad', { config: { 'config.toml': { moniker: 'bad' } } });
  await eventually(() => configText() !== before, waitMs);
  await pilot?.stop();
  expect(readFileSync(join(root, 'state/gaiad.json'), 'utf8')).toContain('trial');
  await startPilot();
  await eventually(() => reportedGaiad.safeParse(reported('gaiad')).data?.rejected.length === 1, waitMs);
  expect(configText()).toBe(before);
  await gaiadIs('running');
});

test('a killed gaiad is started again at once, and the fleet hears of it', async () => {
  await startPilot();
  await gaiadIs('running');
  const pid = gaiadPid() ?? 0;
  const killedAt = Date.now();
  kill(pid);
  await eventually(() => (gaiadPid() ?? pid) !== pid, waitMs);
  expect(Date.now() - killedAt).toBeLessThan(5_000);
  await eventually(() => heard.some(({ topic }) => topic.endsWith('/alert/gaiad-down')), waitMs);
  await eventually(() => heard.some(({ topic }) => topic.endsWith('/event/gaiad-exited')), waitMs);
});

test('an overlay with which gaiad does not start is rolled back, with the reason; the next good one is taken', async () => {
  await startPilot();
  await gaiadIs('running');
  const before = configText();
  await desire('gaiad', { config: { 'config.toml': { moniker: 'bad' } } });
  await eventually(() => reportedGaiad.safeParse(reported('gaiad')).data?.rejected.length === 1, waitMs);
  expect(reportedGaiad.parse(reported('gaiad')).rejected[0]).toMatchObject({
    path: 'config.toml/moniker',
    value: 'bad',
    reason: expect.stringContaining('bad is no moniker'),
  });
  expect(configText()).toBe(before);
  await gaiadIs('running');
  await eventually(() => heard.some(({ topic }) => topic.endsWith('/alert/config-rolled-back')), waitMs);

  const better = { 'config.toml': { moniker: 'better' } };
  await desire('gaiad', { config: better });
  await gaiadIs('running', better);
  expect(reported('gaiad').rejected).toEqual([]);
});

test('a bad overlay and a malformed shadow touch nothing; stopped is stopped, running runs', async () => {
  await startPilot();
  await gaiadIs('running');
  const pid = gaiadPid();
  const paths = () => reportedGaiad.safeParse(reported('gaiad')).data?.rejected.map(({ path }) => path) ?? [];
  await desire('gaiad', { config: { 'config.toml': { p2p: { pecks: true } } } });
  await eventually(() => paths().includes('config.toml/p2p.pecks'), waitMs);
  await desire('gaiad', { config: 'nonsense', run: 'sometimes' });
  await eventually(() => paths().includes('config') && paths().includes('run'), waitMs);
  expect((await readPilotStatus(root)).gaiad.rejected.map(({ path }) => path)).toEqual(paths());
  const told = () => heard.filter(({ topic }) => topic.endsWith('/alert/config-rejected'));
  await eventually(() => told().length === 2, waitMs);
  expect(gaiadPid()).toBe(pid);
  expect(reported('gaiad').state).toBe('running');

  await desire('gaiad', { config: {}, run: 'stopped' });
  await eventually(() => reported('gaiad').state === 'stopped', waitMs);
  expect(gaiadPid()).toBeUndefined();
  await desire('gaiad', { run: 'running' });
  await gaiadIs('running');
});

test("a sentry's gaiad that votes is ended and not started again", async () => {
  writeFileSync(join(root, 'gaiad/config/config.toml'), configText().replace('good', 'self-signing'));
  await startPilot();
  await eventually(() => reported('gaiad').state === 'failed', waitMs);
  expect(gaiadPid()).toBeUndefined();
  await eventually(() => heard.some(({ topic }) => topic.endsWith('/alert/key-on-node')), waitMs);
});

test('what happens while the cloud is out of reach arrives on return, in order', async () => {
  const line = new Line(cloud.port);
  await startPilot(`localhost:${await line.open()}`);
  await gaiadIs('running');
  line.cut();
  heard.length = 0;
  const pid = gaiadPid() ?? 0;
  kill(pid);
  await eventually(() => (gaiadPid() ?? pid) !== pid, waitMs);
  line.mend();
  const told = () => heard.filter(({ topic }) => !topic.endsWith('/health'));
  await eventually(() => told().length >= 3, waitMs);
  const kinds = told().map(({ topic }) => topic.split('/').at(-1));
  expect(kinds.slice(0, 3)).toEqual(['gaiad-exited', 'gaiad-down', 'gaiad-started']);
  const seqs = told().map(({ body }) => Number(body.seq));
  expect(seqs).toEqual([...seqs].sort((x, y) => x - y));
  await gaiadIs('running');
  line.close();
});

test('with basic_ingest health goes to its rule alone; all else as before', async () => {
  const file = join(root, 'config.toml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('[health]\n', '[health]\nbasic_ingest = true\n'));
  const ingested: string[] = [];
  cloud.core.broker.onMessage((topic) => {
    if (topic.startsWith('$aws/rules/')) ingested.push(topic);
  });
  await startPilot();
  await eventually(() => heard.some(({ topic }) => topic.endsWith('/event/started')), waitMs);
  await eventually(() => ingested.length > 1, waitMs);
  expect(new Set(ingested)).toEqual(new Set([`$aws/rules/beam_health/beam/demo/${thing}/health`]));
  expect(heard.filter(({ topic }) => topic.endsWith('/health'))).toEqual([]);
});

test("a validator's gaiad waits for the signer and signs through it alone; the role is asked for, handed on and reported", async () => {
  await makeServer('validator');
  await startPilot();
  await eventually(
    () => configText().includes(`priv_validator_laddr = "unix://${root}/run/signer.sock"`),
    waitMs,
  );
  expect(configText()).toContain('double_sign_check_height = 0');
  expect(gaiadPid()).toBeUndefined();

  const signer = new FakeSigner();
  await signer.start(join(root, 'run/signer-control.sock'), {});
  await gaiadIs('running');
  await eventually(() => reported('role').role === 'standby', waitMs);
  await eventually(() => signer.heard.some((line) => line.startsWith('{"type":"commit"')), waitMs);

  const lost = { epoch: 3, stillMs: 1500, readsStill: 3, yielded: false, lost: true };
  signer.say({ beat: lost });
  await eventually(() => heard.some(({ topic }) => topic.endsWith('/event/role-request')), waitMs);
  const request = heard.find(({ topic }) => topic.endsWith('/event/role-request'))?.body;
  expect(request).toMatchObject({
    reason: 'beat-still',
    epoch: 3,
    holder: 'demo_other',
    recordId: 'record-1',
  });

  await desire('role', { role: 'active', epoch: 4 });
  await eventually(() => signer.heard.includes('{"type":"grant","epoch":4}'), waitMs);
  signer.say({ state: 'active', epoch: 4 });
  await eventually(() => reported('role').role === 'active' && reported('role').epoch === 4, waitMs);
  await eventually(
    () => heard.some(({ topic, body }) => topic.endsWith('/health') && body.role === 'active'),
    waitMs,
  );

  signer.say({ state: 'fenced', epoch: 5 });
  await eventually(() => heard.some(({ topic }) => topic.endsWith('/event/fenced')), waitMs);
  await desire('role', { role: 'standby', epoch: 5 });
  await eventually(() => signer.heard.includes('{"type":"stand-by"}'), waitMs);
  signer.stop();
});

test("a validator's gaiad is not started while its home holds the fleet's key", async () => {
  await makeServer('validator');
  const seed = Buffer.alloc(32, 7);
  const { address, value } = consensusKey(seed);
  const keyFile = join(root, 'gaiad/config/priv_validator_key.json');
  writeFileSync(keyFile, JSON.stringify({ priv_key: { type: 'tendermint/PrivKeyEd25519', value } }));
  const signer = new FakeSigner();
  await signer.start(join(root, 'run/signer-control.sock'), { address });
  await startPilot();
  await eventually(() => reported('gaiad').state === 'failed', waitMs);
  await eventually(() => heard.some(({ topic }) => topic.endsWith('/alert/key-on-node')), waitMs);
  const alert = heard.find(({ topic }) => topic.endsWith('/alert/key-on-node'))?.body;
  expect(alert?.text).toContain(keyFile);
  expect(gaiadPid()).toBeUndefined();
  rmSync(keyFile);
  await gaiadIs('running');
  signer.stop();
});

const keyFileText = (seed: Buffer) =>
  JSON.stringify({ priv_key: { type: 'tendermint/PrivKeyEd25519', value: consensusKey(seed).value } });

/** gaiad as the operator's own systemd would run it. */
function runGaiad(): ChildProcess {
  const args = [resolve('device-agent/gaiad/fake-gaiad.js'), 'start', '--home', join(root, 'gaiad')];
  return spawn(process.execPath, args, { stdio: 'ignore' });
}

const rejectedPaths = () =>
  reportedGaiad.safeParse(reported('gaiad')).data?.rejected.map(({ path }) => path) ?? [];

function setMode(mode: Stage): void {
  const file = join(root, 'config.toml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^mode = .*$/m, `mode = "${mode}"`));
}

test("mode monitor: another one's gaiad is watched, nothing of it is touched, and what is not applied is told", async () => {
  await makeServer('validator', 'monitor');
  const before = configText();
  const gaiad = runGaiad();
  try {
    const overlay = { 'config.toml': { p2p: { pex: false } } };
    await desire('gaiad', { config: overlay, run: 'stopped' });
    await startPilot();
    await eventually(() => reported('gaiad').state === 'running', waitMs);
    await eventually(() => rejectedPaths().length === 2, waitMs);
    expect(reportedGaiad.parse(reported('gaiad'))).toMatchObject({
      overlay: overlayHash({}),
      rejected: [
        { path: 'config.toml/p2p.pex', value: false, reason: expect.stringContaining('mode is "monitor"') },
        { path: 'run', value: 'stopped', reason: expect.stringContaining('mode is "monitor"') },
      ],
    });
    await eventually(() => reported('status').mode === 'monitor', waitMs);
    expect(reported('role')).toMatchObject({
      role: 'maintenance',
      reason: expect.stringContaining('monitor'),
    });
    await eventually(
      () => heard.some(({ topic, body }) => topic.endsWith('/health') && body.mode === 'monitor'),
      waitMs,
    );
    expect(await readPilotStatus(root)).toMatchObject({ mode: 'monitor', signer: null, troubles: [] });
    expect(configText()).toBe(before);
    expect(gaiad.exitCode).toBeNull();
    expect(gaiadPid()).toBeUndefined();
  } finally {
    gaiad.kill('SIGKILL');
  }
});

test('mode config: gaiad is configured and kept running, and who signs stays as it was', async () => {
  await makeServer('validator', 'config');
  const operators = 'priv_validator_laddr = "tcp://127.0.0.1:26659"';
  writeFileSync(join(root, 'gaiad/config/config.toml'), `${operators}\n${configText()}`);
  const overlay = { 'config.toml': { p2p: { pex: false }, consensus: { double_sign_check_height: 10 } } };
  await desire('gaiad', { config: overlay });
  await startPilot();
  await gaiadIs('running', overlay);
  expect(configText()).toContain(operators);
  expect(configText()).toContain('double_sign_check_height = 10');
  const pid = gaiadPid() ?? 0;
  kill(pid);
  await eventually(() => (gaiadPid() ?? pid) !== pid, waitMs);
  await gaiadIs('running', overlay);
  await desire('gaiad', { config: { 'config.toml': { priv_validator_laddr: '' } } });
  await eventually(() => rejectedPaths().includes('config.toml/priv_validator_laddr'), waitMs);
  expect(configText()).toContain(operators);
});

test("mode config: the first start of a node with a key is the operator's; a key that is enrolled here never starts", async () => {
  await makeServer('validator', 'config');
  const seed = Buffer.alloc(32, 9);
  writeFileSync(join(root, 'gaiad/config/priv_validator_key.json'), keyFileText(seed));
  await startPilot();
  await eventually(() => heard.some(({ topic }) => topic.endsWith('/alert/key-on-node')), waitMs);
  expect(gaiadPid()).toBeUndefined();
  const gaiad = runGaiad();
  try {
    await gaiadIs('running');
    expect(gaiadPid()).toBe(gaiad.pid);
    // From now on the node is the pilot's to restart, until this server's signer turns out to be enrolled for that key.
    mkdirSync(join(root, 'signer/state'), { recursive: true });
    const publicKey = Buffer.from(consensusKey(seed).value, 'base64').subarray(32).toString('base64');
    writeFileSync(join(root, 'signer/state/enrolled.json'), JSON.stringify({ publicKey }));
    heard.length = 0;
    gaiad.kill('SIGKILL');
    await eventually(() => reported('gaiad').state === 'failed', waitMs);
    const told = () => heard.find(({ body }) => String(body.text).includes('Going back'));
    await eventually(() => told() !== undefined, waitMs);
    expect(told()?.topic).toMatch(/\/alert\/key-on-node$/);
    // An export sealed the record: nothing of Beam signs with the key any more.
    const bar = { code: 'sealed', reason: 'sealed', at: '' };
    writeFileSync(join(root, 'signer/state/state.json'), `{}\n${JSON.stringify({ bar })}\n`);
    await gaiadIs('running');
  } finally {
    gaiad.kill('SIGKILL');
  }
});

test("from sign back to config: gaiad gets its operator's signer back, and to sign again", async () => {
  await makeServer('validator');
  const signer = new FakeSigner();
  await signer.start(join(root, 'run/signer-control.sock'), {});
  const before = configText();
  await startPilot();
  await gaiadIs('running');
  expect(configText()).toContain('priv_validator_laddr');
  const pid = gaiadPid();
  await pilot?.stop();
  setMode('config');
  await startPilot();
  await eventually(() => configText() === before && (gaiadPid() ?? pid) !== pid, waitMs);
  await gaiadIs('running');
  await eventually(() => reported('role').role === 'maintenance', waitMs);
  await pilot?.stop();
  setMode('sign');
  await startPilot();
  await eventually(() => configText().includes('priv_validator_laddr'), waitMs);
  await eventually(() => reported('role').role === 'standby', waitMs);
  await gaiadIs('running');
  signer.stop();
});

function consensusKey(seed: Buffer): { address: string; value: string } {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const raw = createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(-32);
  return {
    address: createHash('sha256').update(raw).digest('hex').slice(0, 40).toUpperCase(),
    value: Buffer.concat([seed, raw]).toString('base64'),
  };
}
