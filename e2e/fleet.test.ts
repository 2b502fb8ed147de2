/** A fleet as `npm start` brings it up, and what an operator does to it, by every route. */

import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeleteThingShadowCommand, UpdateThingShadowCommand } from '@aws-sdk/client-iot-data-plane';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { MqttClient } from 'mqtt';
import { missedBlocks } from '../local-fleet/chains/observe.ts';
import { findConflicts, readJournal } from '../local-fleet/drill/journals.ts';
import { type HealthMessage, healthMessage } from '../protocol/topics.ts';
import { beam, processesIn, RunningFleet, until } from './beam.ts';

const validators = ['demo_a', 'demo_b', 'demo_c'];
const sentries = ['demo_s1', 'demo_s2'];
const pilotBytesMax = 120 * 1024 * 1024;

let fleet: RunningFleet;
let operator: MqttClient;
const health = new Map<string, HealthMessage>();

beforeAll(async () => {
  fleet = await RunningFleet.up(['--block-seconds', '1.5', '--validators', '3']);
  operator = await listen();
}, 90_000);
afterAll(async () => {
  await operator?.endAsync(true);
  await fleet?.remove();
}, 60_000);

async function listen(): Promise<MqttClient> {
  const client = await fleet.operator();
  client.on('message', (topic, payload) => {
    if (!topic.endsWith('/health')) return;
    const message = healthMessage.parse(JSON.parse(payload.toString()));
    health.set(message.thing, message);
  });
  await client.subscribeAsync('beam/demo/#');
  return client;
}

const standbysOf = (holder: string) => validators.filter((thing) => thing !== holder);
/** One that is not the holder. */
const other = (holder: string) => standbysOf(holder)[0] ?? '';

/** Waits until `holder` alone is active by record, shadows and health, in `epoch`. */
async function settled(holder: string, epoch: number): Promise<void> {
  await until(`${holder} alone is active in epoch ${epoch}`, async () => {
    const record = await fleet.record();
    if (record.holder !== holder || record.epoch !== epoch || record.grantEpoch !== epoch) return undefined;
    for (const thing of validators) {
      const shadow = await fleet.shadow(thing, 'role');
      const due = thing === holder ? 'active' : 'standby';
      if (shadow?.desired.role !== due || shadow.reported.role !== due) return undefined;
      if (health.get(thing)?.role !== due || health.get(thing)?.signer?.state !== due) return undefined;
    }
    return true;
  });
}

/** Its node runs at the chain's head. */
function isHot(thing: string): boolean {
  const gaiad = health.get(thing)?.gaiad;
  return gaiad?.state === 'running' && gaiad.catchingUp === false && (gaiad.height ?? 0) >= height() - 1;
}

function rpcOf(node: string): string {
  const { nodes } = JSON.parse(readFileSync(join(fleet.data, 'fleet.json'), 'utf8'));
  return `http://127.0.0.1:${nodes.find(({ name }: { name: string }) => name === node).rpcPort}`;
}

function height(): number {
  return health.get('demo_s1')?.gaiad.height ?? 0;
}

/** What a switch may cost: nothing. */
async function missedSince(from: number): Promise<number[]> {
  const { address } = health.get('demo_a')?.signer ?? { address: '' };
  return missedBlocks(rpcOf('s1'), address, from, height() - 1);
}

async function edit(thing: string, document: unknown, shadowName = 'role'): Promise<void> {
  const payload = Buffer.from(JSON.stringify(document));
  await fleet.shadows.send(new UpdateThingShadowCommand({ thingName: thing, shadowName, payload }));
}

/** Publishes a shadow update over MQTT and waits for the answer to it. */
async function editByMqtt(thing: string, document: object): Promise<{ accepted: boolean; code?: number }> {
  const topic = `$aws/things/${thing}/shadow/name/role/update`;
  const clientToken = `e2e-${Math.random().toString(36).slice(2)}`;
  await operator.subscribeAsync([`${topic}/accepted`, `${topic}/rejected`]);
  const answer = new Promise<{ accepted: boolean; code?: number }>((resolve) => {
    const onMessage = (from: string, payload: Buffer) => {
      if (!from.startsWith(topic)) return;
      const body = JSON.parse(payload.toString());
      if (body.clientToken !== clientToken) return;
      operator.removeListener('message', onMessage);
      resolve({ accepted: from.endsWith('/accepted'), code: body.code });
    };
    operator.on('message', onMessage);
  });
  await operator.publishAsync(topic, JSON.stringify({ ...document, clientToken }));
  return answer;
}

test('one validator is active, the others are hot standbys, two sentries; each pilot is small', async () => {
  const all = [...validators, ...sentries];
  await until('every server has reported', () =>
    all.every((thing) => health.has(thing)) ? true : undefined,
  );
  // What follows is about operators' edits: a machine that is slow at the start shall not fail over between them.
  expect(await fleet.beam('fleet', 'configure', 'demo', '--automatic-failover', 'off')).toMatchObject({
    code: 0,
  });
  const { holder, epoch } = await until('a holder', async () => {
    const record = await fleet.record();
    return record.epoch > 0 && record.grantEpoch === record.epoch ? record : undefined;
  });
  await settled(holder, epoch);
  for (const thing of sentries) {
    expect(health.get(thing)).toMatchObject({
      role: 'sentry',
      gaiad: { state: 'running', catchingUp: false },
    });
  }
  for (const thing of all) expect(health.get(thing)?.load?.pilotResidentBytes).toBeLessThan(pilotBytesMax);
  await until('the validators have peers', () =>
    validators.every((thing) => (health.get(thing)?.gaiad.peers ?? 0) >= 2) ? true : undefined,
  );
  expect(fleet.output).toContain('beam failover demo');
  // Not a terminal: no colour, no cursor.
  expect(fleet.output).not.toContain('\u001b');
});

test('`beam failover`, `beam shadow edit`, an SDK over HTTPS and MQTT switch without a missed block', async () => {
  const { holder: first, epoch } = await fleet.record();
  const second = other(first);
  const from = height();
  const failover = await fleet.beam('failover', 'demo', '--to', second.replace('demo_', ''), '--json');
  expect(failover).toMatchObject({ code: 0 });
  expect(JSON.parse(failover.stdout)).toMatchObject({
    from: first,
    to: second,
    epochAfter: epoch + 1,
    missing: [],
  });
  await settled(second, epoch + 1);
  const shadowEdit = await fleet.beam('shadow', 'edit', first, 'role', '{"role":"active"}');
  expect(shadowEdit).toMatchObject({ code: 0 });
  await settled(first, epoch + 2);
  await edit(second, { state: { desired: { role: 'active' } } });
  await settled(second, epoch + 3);
  expect(await editByMqtt(first, { state: { desired: { role: 'active' } } })).toMatchObject({
    accepted: true,
  });
  await settled(first, epoch + 4);
  await until('two more blocks', () => (height() > from + 2 ? true : undefined));
  expect(await missedSince(from)).toEqual([]);
});

test('a stale version is refused by either route, and changes nothing', async () => {
  const before = await fleet.record();
  const stale = { state: { desired: { role: 'active' } }, version: 1 };
  await expect(edit(other(before.holder), stale)).rejects.toMatchObject({ name: 'ConflictException' });
  expect(await editByMqtt(other(before.holder), stale)).toEqual({ accepted: false, code: 409 });
  await settled(before.holder, before.epoch);
});

test('an edit is a request, whatever epoch it carries, and whatever else the console sends with it', async () => {
  const { holder, epoch } = await fleet.record();
  await editByMqtt(other(holder), { state: { desired: { role: 'active', epoch: 0 } } });
  await settled(other(holder), epoch + 1);
  await edit(holder, { state: { desired: { role: 'active', epoch: 999_999 } } });
  await settled(holder, epoch + 2);
  const whole = await fleet.shadow(other(holder), 'role');
  await edit(other(holder), {
    state: {
      desired: { ...whole?.desired, role: 'active' },
      reported: { ...whole?.reported, role: 'active' },
    },
  });
  await settled(other(holder), epoch + 3);
});

test('two standbys set active at once: one is, and the edit of the other is put back with the reason', async () => {
  const { holder, epoch } = await fleet.record();
  const [one = '', two = ''] = standbysOf(holder);
  await Promise.all([one, two].map((thing) => edit(thing, { state: { desired: { role: 'active' } } })));
  const after = await until('a switch was decided', async () => {
    const record = await fleet.record();
    return record.epoch > epoch && record.grantEpoch === record.epoch ? record : undefined;
  });
  expect([one, two]).toContain(after.holder);
  await settled(after.holder, epoch + 1);
  const loser = after.holder === one ? two : one;
  expect((await fleet.shadow(loser, 'role'))?.desired.reason).toMatch(
    /under way|holds the role|has the role/,
  );
});

test('active and standby both set active: the standby is, and the other stands by', async () => {
  const { holder, epoch } = await fleet.record();
  const both = [holder, other(holder)];
  await Promise.all(both.map((thing) => edit(thing, { state: { desired: { role: 'active' } } })));
  await settled(other(holder), epoch + 1);
});

test('a deleted role shadow comes back, and nobody else signs', async () => {
  const { holder, epoch } = await fleet.record();
  await fleet.shadows.send(new DeleteThingShadowCommand({ thingName: holder, shadowName: 'role' }));
  await settled(holder, epoch);
});

test('the active set to standby: another takes over; with nobody fit it stays active, and is told why', async () => {
  const { holder, epoch } = await fleet.record();
  const standbys = standbysOf(holder);
  const run = (wanted: 'stopped' | null) =>
    Promise.all(standbys.map((thing) => edit(thing, { state: { desired: { run: wanted } } }, 'gaiad')));
  await run('stopped');
  await until('their gaiads are stopped', () =>
    standbys.every((thing) => health.get(thing)?.gaiad.state === 'stopped') ? true : undefined,
  );
  await edit(holder, { state: { desired: { role: 'standby' } } });
  const refused = await until('the edit is put back', async () => {
    const shadow = await fleet.shadow(holder, 'role');
    return shadow?.desired.role === 'active' && shadow.desired.reason ? shadow : undefined;
  });
  expect(refused.desired.reason).toMatch(/nobody else is fit/);
  expect(await fleet.record()).toMatchObject({ holder, epoch });
  await run(null);
  await until('their gaiads follow the chain again', () => (standbys.every(isHot) ? true : undefined));
  await settled(holder, epoch);

  await edit(holder, { state: { desired: { role: 'standby' } } });
  const { holder: next } = await until('another took over', async () => {
    const record = await fleet.record();
    return record.epoch > epoch ? record : undefined;
  });
  expect(standbys).toContain(next);
  await settled(next, epoch + 1);
});

test("a signer with another chain's id is not enrolled", async () => {
  const home = join(fleet.data, 'elsewhere');
  mkdirSync(join(home, 'signer'), { recursive: true });
  for (const name of ['config.toml', 'node.toml', 'signer/priv_validator_key.json']) {
    copyFileSync(join(fleet.data, 'nodes/b', name), join(home, name));
  }
  const config = readFileSync(join(home, 'config.toml'), 'utf8');
  writeFileSync(
    join(home, 'config.toml'),
    config.replace('chain_id = "beam-demo"', 'chain_id = "cosmoshub-4"'),
  );
  const enrol = await beam(['signer', 'enrol', '--home', home, '--yes']);
  expect(enrol.code).not.toBe(0);
  expect(enrol.stderr).toMatch(/is on chain beam-demo, config.toml has .*cosmoshub-4.*correct one of them/);
  expect(existsSync(join(home, 'signer/state/enrolled.json'))).toBe(false);
});

test('Ctrl-C ends every process; started again the fleet goes on from its files', async () => {
  const before = await fleet.record();
  const certificate = readFileSync(join(fleet.data, 'nodes/a/certs/device.pem.crt'), 'utf8');
  await operator.endAsync(true);
  expect(await fleet.stop('SIGINT')).toBe(0);
  expect(processesIn(fleet.data)).toEqual([]);
  expect(existsSync(join(fleet.data, 'beam-up.pid'))).toBe(false);

  health.clear();
  await fleet.start();
  operator = await listen();
  const after = await fleet.record();
  expect(after.recordId).toBe(before.recordId);
  expect(readFileSync(join(fleet.data, 'nodes/a/certs/device.pem.crt'), 'utf8')).toBe(certificate);
  await settled(after.holder, after.epoch);
  await until('the chain goes on', () => (height() > before.height + 1 ? true : undefined));
});

test('nothing was signed twice in all of this', async () => {
  const journals = await Promise.all(
    ['a', 'b', 'c'].map((node) => readJournal(join(fleet.data, 'nodes', node, 'signer/state'))),
  );
  expect(journals.flat().length).toBeGreaterThan(20);
  expect(findConflicts(journals)).toEqual([]);
});
