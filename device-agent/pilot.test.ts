/** A whole pilot with a real broker over TLS and a real process in gaiad's place: overlays, gaiad's life, the cloud's absence. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { reportedGaiad } from '../protocol/shadows.ts';
import { Line } from './cloud/line.ts';
import { readPilotStatus } from './commands/status.ts';
import { happens, kill, PilotBench, pilotTestMs } from './pilot-fixture.ts';

jest.setTimeout(pilotTestMs);
let bench: PilotBench;
beforeAll(async () => {
  bench = await PilotBench.open();
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

test('a new server takes its overlay before gaiad first starts, reports, and its gaiad outlives the pilot', async () => {
  const server = await bench.server('sentry');
  const overlay = { 'config.toml': { p2p: { pex: false } } };
  await server.desire('gaiad', { config: overlay });
  await server.startPilot();
  await server.gaiadIs('running', overlay);
  // One start: the overlay was there first.
  expect(server.heard.filter(({ topic }) => topic.endsWith('/gaiad-started'))).toHaveLength(1);
  expect(server.configText()).toContain('# ours\n');
  expect(server.configText()).toContain('pex = false');
  await happens(() => server.reported('status').chainId === 'fake-1');
  expect(server.reported('status')).toMatchObject({
    p2p: '10.0.0.1:26656',
    kind: 'sentry',
    catchingUp: false,
  });
  expect(server.reported('role')).toMatchObject({ role: 'sentry', epoch: 0 });
  await happens(() =>
    server.heard.some(({ topic, body }) => topic.endsWith('/health') && 'height' in (body.gaiad as object)),
  );
  expect(await readPilotStatus(server.root)).toMatchObject({
    thing: server.thing,
    gaiad: { state: 'running', pid: server.gaiadPid() },
    troubles: [],
  });

  const pid = server.gaiadPid();
  await server.pilot?.stop();
  await server.startPilot();
  await happens(() => server.reported('gaiad').state === 'running');
  expect(server.gaiadPid()).toBe(pid);
  expect(server.heard.filter(({ topic }) => topic.endsWith('/gaiad-started'))).toHaveLength(1);
  await happens(() => new Set(server.heard.map(({ body }) => body.bootId)).size === 2);
});

test('a first overlay that is rejected is rejected once, and gaiad starts with its own configuration', async () => {
  const server = await bench.server('sentry');
  await server.desire('gaiad', { config: { 'config.toml': { p2p: { pecks: true } } } });
  await server.startPilot();
  await server.gaiadIs('running');
  const alerts = server.heard.filter(({ topic }) => topic.endsWith('/alert/config-rejected'));
  expect(alerts).toHaveLength(1);
  expect(server.configText()).toContain('pex = true');
});

test('a pilot that ends in a trial leaves it to the next one, which ends it', async () => {
  const server = await bench.server('sentry');
  await server.startPilot();
  await server.gaiadIs('running');
  const before = server.configText();
  await server.desire('gaiad', { config: { 'config.toml': { moniker: 'bad' } } });
  await happens(() => server.configText() !== before);
  await server.pilot?.stop();
  expect(readFileSync(join(server.root, 'state/gaiad.json'), 'utf8')).toContain('trial');
  await server.startPilot();
  await happens(() => server.rejectedPaths().length === 1);
  expect(server.configText()).toBe(before);
  await server.gaiadIs('running');
});

test('a killed gaiad is started again at once, and the fleet hears of it', async () => {
  const server = await bench.server('sentry');
  await server.startPilot();
  await server.gaiadIs('running');
  const pid = server.gaiadPid() ?? 0;
  const killedAt = Date.now();
  kill(pid);
  await happens(() => server.gaiadIsNotAnyMore(pid));
  expect(Date.now() - killedAt).toBeLessThan(5_000);
  await server.hears('/alert/gaiad-down');
  await server.hears('/event/gaiad-exited');
});

test('an overlay with which gaiad does not start is rolled back, with the reason; the next good one is taken', async () => {
  const server = await bench.server('sentry');
  await server.startPilot();
  await server.gaiadIs('running');
  const before = server.configText();
  await server.desire('gaiad', { config: { 'config.toml': { moniker: 'bad' } } });
  await happens(() => server.rejectedPaths().length === 1);
  expect(reportedGaiad.parse(server.reported('gaiad')).rejected[0]).toMatchObject({
    path: 'config.toml/moniker',
    value: 'bad',
    reason: expect.stringContaining('bad is no moniker'),
  });
  expect(server.configText()).toBe(before);
  await server.gaiadIs('running');
  await server.hears('/alert/config-rolled-back');

  const better = { 'config.toml': { moniker: 'better' } };
  await server.desire('gaiad', { config: better });
  await server.gaiadIs('running', better);
  expect(server.reported('gaiad').rejected).toEqual([]);
});

test('a bad overlay and a malformed shadow touch nothing; stopped is stopped, running runs', async () => {
  const server = await bench.server('sentry');
  await server.startPilot();
  await server.gaiadIs('running');
  const pid = server.gaiadPid();
  await server.desire('gaiad', { config: { 'config.toml': { p2p: { pecks: true } } } });
  await happens(() => server.rejectedPaths().includes('config.toml/p2p.pecks'));
  await server.desire('gaiad', { config: 'nonsense', run: 'sometimes' });
  await happens(() => ['config', 'run'].every((path) => server.rejectedPaths().includes(path)));
  const { gaiad } = await readPilotStatus(server.root);
  expect(gaiad.rejected.map(({ path }) => path)).toEqual(server.rejectedPaths());
  const told = () => server.heard.filter(({ topic }) => topic.endsWith('/alert/config-rejected'));
  await happens(() => told().length === 2);
  expect(server.gaiadPid()).toBe(pid);
  expect(server.reported('gaiad').state).toBe('running');

  await server.desire('gaiad', { config: {}, run: 'stopped' });
  await happens(() => server.reported('gaiad').state === 'stopped');
  expect(server.gaiadPid()).toBeUndefined();
  await server.desire('gaiad', { run: 'running' });
  await server.gaiadIs('running');
});

test("a sentry's gaiad that votes is ended and not started again", async () => {
  const server = await bench.server('sentry');
  writeFileSync(
    join(server.root, 'gaiad/config/config.toml'),
    server.configText().replace('good', 'self-signing'),
  );
  await server.startPilot();
  await happens(() => server.reported('gaiad').state === 'failed');
  expect(server.gaiadPid()).toBeUndefined();
  await server.hears('/alert/key-on-node');
});

test('what happens while the cloud is out of reach arrives on return, in order', async () => {
  const server = await bench.server('sentry');
  const line = new Line(bench.cloud.port);
  await server.startPilot(`localhost:${await line.open()}`);
  await server.gaiadIs('running');
  line.cut();
  server.heard.length = 0;
  const pid = server.gaiadPid() ?? 0;
  kill(pid);
  await happens(() => server.gaiadIsNotAnyMore(pid));
  line.mend();
  const told = () => server.heard.filter(({ topic }) => !topic.endsWith('/health'));
  await happens(() => told().length >= 3);
  const kinds = told().map(({ topic }) => topic.split('/').at(-1));
  expect(kinds.slice(0, 3)).toEqual(['gaiad-exited', 'gaiad-down', 'gaiad-started']);
  const seqs = told().map(({ body }) => Number(body.seq));
  expect(seqs).toEqual([...seqs].sort((x, y) => x - y));
  await server.gaiadIs('running');
  line.close();
});

test('with basic_ingest health goes to its rule alone; all else as before', async () => {
  const server = await bench.server('sentry');
  const file = join(server.root, 'config.toml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('[health]\n', '[health]\nbasic_ingest = true\n'));
  const ingested: string[] = [];
  bench.cloud.core.broker.onMessage((topic) => {
    if (topic.startsWith('$aws/rules/')) ingested.push(topic);
  });
  await server.startPilot();
  await server.hears('/event/started');
  await happens(() => ingested.length > 1);
  expect(new Set(ingested)).toEqual(new Set([`$aws/rules/beam_health/beam/demo/${server.thing}/health`]));
  expect(server.heard.filter(({ topic }) => topic.endsWith('/health'))).toEqual([]);
});
