/** A whole pilot of a validator, with a real broker and a process in gaiad's place: who signs, by the stage of trust in Beam (a fake signer: the real one has its own tests). */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { overlayHash } from '../protocol/overlay-hash.ts';
import { reportedGaiad } from '../protocol/shadows.ts';
import { readPilotStatus } from './commands/status.ts';
import { consensusKey, happens, kill, PilotBench, pilotTestMs } from './pilot-fixture.ts';
import { FakeSigner } from './role/fake-signer.ts';

jest.setTimeout(pilotTestMs);
let bench: PilotBench;
beforeAll(async () => {
  bench = await PilotBench.open();
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

test("a validator's gaiad waits for the signer and signs through it alone; the role is asked for, handed on and reported", async () => {
  const server = await bench.server('validator');
  await server.startPilot();
  await happens(() =>
    server.configText().includes(`priv_validator_laddr = "unix://${server.root}/run/signer.sock"`),
  );
  expect(server.configText()).toContain('double_sign_check_height = 0');
  expect(server.gaiadPid()).toBeUndefined();

  const signer = new FakeSigner();
  await signer.start(join(server.root, 'run/signer-control.sock'), {});
  await server.gaiadIs('running');
  await happens(() => server.reported('role').role === 'standby');
  await happens(() => signer.heard.some((line) => line.startsWith('{"type":"commit"')));

  const lost = { epoch: 3, stillMs: 1500, readsStill: 3, yielded: false, lost: true };
  signer.say({ beat: lost });
  await server.hears('/event/role-request');
  const request = server.heard.find(({ topic }) => topic.endsWith('/event/role-request'))?.body;
  expect(request).toMatchObject({
    reason: 'beat-still',
    epoch: 3,
    holder: 'demo_other',
    recordId: 'record-1',
  });

  await server.desire('role', { role: 'active', epoch: 4 });
  await happens(() => signer.heard.includes('{"type":"grant","epoch":4}'));
  signer.say({ state: 'active', epoch: 4 });
  await happens(() => server.reported('role').role === 'active' && server.reported('role').epoch === 4);
  await happens(() =>
    server.heard.some(({ topic, body }) => topic.endsWith('/health') && body.role === 'active'),
  );

  signer.say({ state: 'fenced', epoch: 5 });
  await server.hears('/event/fenced');
  // Whatever an operator writes for a reason, the role counts.
  await server.desire('role', { role: 'standby', epoch: 5, reason: 5 });
  await happens(() => signer.heard.includes('{"type":"stand-by"}'));
  signer.stop();
});

test("a validator's gaiad is not started while its home holds the fleet's key", async () => {
  const server = await bench.server('validator');
  const seed = Buffer.alloc(32, 7);
  const { address, text } = consensusKey(seed);
  const keyFile = join(server.root, 'gaiad/config/priv_validator_key.json');
  writeFileSync(keyFile, text);
  const signer = new FakeSigner();
  await signer.start(join(server.root, 'run/signer-control.sock'), { address });
  await server.startPilot();
  await happens(() => server.reported('gaiad').state === 'failed');
  await server.hears('/alert/key-on-node');
  const alert = server.heard.find(({ topic }) => topic.endsWith('/alert/key-on-node'))?.body;
  expect(alert?.text).toContain(keyFile);
  expect(server.gaiadPid()).toBeUndefined();
  rmSync(keyFile);
  await server.gaiadIs('running');
  signer.stop();
});

test("mode monitor: another one's gaiad is watched, nothing of it is touched, and what is not applied is told", async () => {
  const server = await bench.server('validator', 'monitor');
  const before = server.configText();
  const gaiad = server.runGaiad();
  try {
    const overlay = { 'config.toml': { p2p: { pex: false } } };
    await server.desire('gaiad', { config: overlay, run: 'stopped' });
    await server.startPilot();
    await happens(() => server.reported('gaiad').state === 'running');
    await happens(() => server.rejectedPaths().length === 2);
    expect(reportedGaiad.parse(server.reported('gaiad'))).toMatchObject({
      overlay: overlayHash({}),
      rejected: [
        { path: 'config.toml/p2p.pex', value: false, reason: expect.stringContaining('mode is "monitor"') },
        { path: 'run', value: 'stopped', reason: expect.stringContaining('mode is "monitor"') },
      ],
    });
    await happens(() => server.reported('status').mode === 'monitor');
    expect(server.reported('role')).toMatchObject({
      role: 'maintenance',
      reason: expect.stringContaining('monitor'),
    });
    await happens(() =>
      server.heard.some(({ topic, body }) => topic.endsWith('/health') && body.mode === 'monitor'),
    );
    expect(await readPilotStatus(server.root)).toMatchObject({ mode: 'monitor', signer: null, troubles: [] });
    expect(server.configText()).toBe(before);
    expect(gaiad.exitCode).toBeNull();
    expect(server.gaiadPid()).toBeUndefined();
  } finally {
    gaiad.kill('SIGKILL');
  }
});

test('mode config: gaiad is configured and kept running, and who signs stays as it was', async () => {
  const server = await bench.server('validator', 'config');
  const operators = 'priv_validator_laddr = "tcp://127.0.0.1:26659"';
  writeFileSync(join(server.root, 'gaiad/config/config.toml'), `${operators}\n${server.configText()}`);
  const overlay = { 'config.toml': { p2p: { pex: false }, consensus: { double_sign_check_height: 10 } } };
  await server.desire('gaiad', { config: overlay });
  await server.startPilot();
  await server.gaiadIs('running', overlay);
  expect(server.configText()).toContain(operators);
  expect(server.configText()).toContain('double_sign_check_height = 10');
  const pid = server.gaiadPid() ?? 0;
  kill(pid);
  await happens(() => server.gaiadIsNotAnyMore(pid));
  await server.gaiadIs('running', overlay);
  await server.desire('gaiad', { config: { 'config.toml': { priv_validator_laddr: '' } } });
  await happens(() => server.rejectedPaths().includes('config.toml/priv_validator_laddr'));
  expect(server.configText()).toContain(operators);
});

test("mode config: the first start of a node with a key is the operator's; a key that is enrolled here never starts", async () => {
  const server = await bench.server('validator', 'config');
  const seed = Buffer.alloc(32, 9);
  writeFileSync(join(server.root, 'gaiad/config/priv_validator_key.json'), consensusKey(seed).text);
  await server.startPilot();
  await server.hears('/alert/key-on-node');
  expect(server.gaiadPid()).toBeUndefined();
  const gaiad = server.runGaiad();
  try {
    await server.gaiadIs('running');
    expect(server.gaiadPid()).toBe(gaiad.pid);
    // From now on the node is the pilot's to restart, until this server's signer turns out to be enrolled for that key.
    mkdirSync(join(server.root, 'signer/state'), { recursive: true });
    const publicKey = Buffer.from(consensusKey(seed).value, 'base64').subarray(32).toString('base64');
    writeFileSync(join(server.root, 'signer/state/enrolled.json'), JSON.stringify({ publicKey }));
    server.heard.length = 0;
    gaiad.kill('SIGKILL');
    await happens(() => server.reported('gaiad').state === 'failed');
    const told = () => server.heard.find(({ body }) => String(body.text).includes('Going back'));
    await happens(() => told() !== undefined);
    expect(told()?.topic).toMatch(/\/alert\/key-on-node$/);
    // An export sealed the record: nothing of Beam signs with the key any more.
    const bar = { code: 'sealed', reason: 'sealed', at: '' };
    writeFileSync(join(server.root, 'signer/state/state.json'), `{}\n${JSON.stringify({ bar })}\n`);
    await server.gaiadIs('running');
  } finally {
    gaiad.kill('SIGKILL');
  }
});

test("from sign back to config: gaiad gets its operator's signer back, and to sign again", async () => {
  const server = await bench.server('validator');
  const signer = new FakeSigner();
  await signer.start(join(server.root, 'run/signer-control.sock'), {});
  const before = server.configText();
  await server.startPilot();
  await server.gaiadIs('running');
  expect(server.configText()).toContain('priv_validator_laddr');
  const pid = server.gaiadPid();
  await server.pilot?.stop();
  server.setMode('config');
  await server.startPilot();
  await happens(() => server.configText() === before && server.gaiadIsNotAnyMore(pid));
  await server.gaiadIs('running');
  await happens(() => server.reported('role').role === 'maintenance');
  await server.pilot?.stop();
  server.setMode('sign');
  await server.startPilot();
  await happens(() => server.configText().includes('priv_validator_laddr'));
  await happens(() => server.reported('role').role === 'standby');
  await server.gaiadIs('running');
  signer.stop();
});
