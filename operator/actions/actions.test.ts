/** The actions against the local cloud's registry, shadows and tables; Commander's part is played by the test. */

import { PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import {
  AddThingToThingGroupCommand,
  CreateThingCommand,
  CreateThingGroupCommand,
} from '@aws-sdk/client-iot';
import { UpdateThingShadowCommand } from '@aws-sdk/client-iot-data-plane';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { openTablesCloud, type TablesCloud } from '../../local-cloud/tables-fixture.ts';
import { toJsonItem } from '../../protocol/dynamodb-json.ts';
import { type FleetNode, fleetTableName } from '../../protocol/fleet-table.ts';
import { claim, enrol, grant, signTableName } from '../../protocol/sign-record.ts';
import { toUpdateItem } from '../../protocol/sign-record-dynamodb.ts';
import { configureFleet } from './configure-fleet.ts';
import { editShadow, getShadow } from './edit-shadow.ts';
import { failover } from './failover.ts';
import { listFleet, listFleets, showNode } from './list-fleet.ts';
import { connectOperator, disconnect, type Operator } from './operator.ts';
import { readSignRecord } from './read-fleet.ts';

// Real stores that sync to disk, on a machine that may be busy with other tests.
jest.setTimeout(60_000);

const recordKey = `beam-1/${'AB'.repeat(20)}`;
const recordId = 'record-0001';
let cloud: TablesCloud;
let operator: Operator;

beforeAll(async () => {
  cloud = await openTablesCloud();
  const { ready } = cloud;
  operator = connectOperator({
    region: ready.region,
    endpoint: ready.https,
    ca: ready.ca,
    credentials: { accessKeyId: ready.accessKeyId, secretAccessKey: ready.secretAccessKey },
  });
  await operator.iot.send(new CreateThingGroupCommand({ thingGroupName: 'beam_demo' }));
  for (const node of ['a', 'b', 'c', 's']) {
    const thingName = `demo_${node}`;
    await operator.iot.send(new CreateThingCommand({ thingName }));
    await operator.iot.send(new AddThingToThingGroupCommand({ thingName, thingGroupName: 'beam_demo' }));
  }
});

afterAll(async () => {
  disconnect(operator);
  await cloud.close();
});

const update = (change: Parameters<typeof toUpdateItem>[1]) =>
  operator.dynamodb.send(new UpdateItemCommand(toUpdateItem(signTableName, change)));
const report = (thing: string, reported: object, desired?: object) =>
  operator.iotData.send(
    new UpdateThingShadowCommand({
      thingName: thing,
      shadowName: 'role',
      payload: Buffer.from(JSON.stringify({ state: { reported, desired } })),
    }),
  );
const reportRole = (thing: string, role: string, epoch: number, desired?: object) =>
  report(thing, { role, epoch, since: '', reason: '' }, desired);

async function health(thing: string, some: Partial<FleetNode> = {}): Promise<void> {
  const node: FleetNode = {
    fleet: 'demo',
    item: thing,
    bootId: 'boot',
    seq: 1,
    at: 0,
    receivedAt: Date.now(),
    connected: true,
    kind: 'validator',
    role: 'standby',
    epoch: 1,
    gaiad: { state: 'running', height: 100, catchingUp: false },
    signer: { state: 'standby', address: 'AB', epoch: 1, height: 99 },
    ...some,
  };
  await operator.dynamodb.send(new PutItemCommand({ TableName: fleetTableName, Item: toJsonItem(node) }));
}

const edited = async (thing: string) => (await getShadow(operator, thing, 'role')).document?.desired;

describe('before the fleet is configured', () => {
  test('its servers are there, silent', async () => {
    const fleet = await listFleet(operator, 'demo');
    expect(fleet).toMatchObject({ config: null, record: null });
    expect(fleet.nodes.map(({ node, registered, healthAgeMs }) => [node, registered, healthAgeMs])).toEqual(
      ['a', 'b', 'c', 's'].map((node) => [node, true, null]),
    );
  });

  test('names that are not there are told, with those that are', async () => {
    await expect(listFleet(operator, 'nope')).rejects.toThrow(/no fleet nope here/);
    await expect(listFleet(operator, 'No Fleet')).rejects.toMatchObject({ name: 'InvalidInputError' });
    await expect(showNode(operator, 'demo_z')).rejects.toThrow(/no node z: it has a, b, c, s/);
    await expect(getShadow(operator, 'demo_z', 'role')).rejects.toThrow(/no thing demo_z/);
    await expect(getShadow(operator, 'demo_a', 'rôle')).rejects.toThrow(/one of role, gaiad, status/);
  });

  test('a failover says what is missing', async () => {
    await expect(failover(operator, { fleet: 'demo' })).rejects.toThrow(/names no sign record/);
  });

  test('configuring: dry, then really; what is left out stays', async () => {
    const dry = await configureFleet(operator, { fleet: 'demo', recordKey, dryRun: true });
    expect(dry).toMatchObject({
      before: null,
      sent: false,
      after: { automaticFailover: false, chainId: 'beam-1' },
    });
    expect(dry.warnings).toEqual([expect.stringContaining('beam signer enrol')]);
    expect((await listFleet(operator, 'demo')).config).toBeNull();
    await configureFleet(operator, { fleet: 'demo', recordKey, automaticFailover: true });
    await update(enrol(recordKey, recordId, { height: 0, round: 0, step: 0 }));
    const again = await configureFleet(operator, { fleet: 'demo', cooldownSeconds: 5 });
    expect(again).toMatchObject({
      before: { automaticFailover: true, cooldownSeconds: 60 },
      after: { automaticFailover: true, cooldownSeconds: 5, recordKey },
      warnings: [],
    });
    expect(await listFleets(operator)).toEqual(['demo']);
  });

  test.each([
    [{ recordKey: 'beam-1/xyz' }, /no record's key/],
    [{ cooldownSeconds: -1 }, /cooldownSeconds/],
  ])('%p is refused', async (some, message) => {
    await expect(configureFleet(operator, { fleet: 'demo', ...some })).rejects.toThrow(message);
  });
});

describe('shadows', () => {
  test('an edit by assignments; dry runs send nothing', async () => {
    const edit = {
      thing: 'demo_c',
      shadow: 'gaiad',
      assignments: ['config."config.toml".p2p.pex=false', 'run=running'],
    };
    const document = {
      state: { desired: { config: { 'config.toml': { p2p: { pex: false } } }, run: 'running' } },
    };
    expect(await editShadow(operator, { ...edit, dryRun: true })).toMatchObject({
      document,
      sent: false,
      before: null,
    });
    expect((await getShadow(operator, 'demo_c', 'gaiad')).document).toBeNull();
    expect(await editShadow(operator, edit)).toMatchObject({ document, sent: true });
    expect((await getShadow(operator, 'demo_c', 'gaiad')).document).toMatchObject({
      version: 1,
      ...document.state,
    });
    await editShadow(operator, { thing: 'demo_c', shadow: 'gaiad', patch: { config: null } });
    expect((await getShadow(operator, 'demo_c', 'gaiad')).document?.desired).toEqual({ run: 'running' });
  });

  test('a stale version is refused, with what to do', async () => {
    await expect(
      editShadow(operator, { thing: 'demo_c', shadow: 'gaiad', assignments: ['run=stopped'], version: 1 }),
    ).rejects.toThrow(/not at version 1 any more/);
  });

  test.each([
    ['role', ['role=king'], /role/],
    ['role', ['role'], /no assignment/],
    ['role', [], /nothing to edit/],
    ['role', ['desired.role=active'], /members of `desired` alone/],
    ['status', ['nodeId=x'], /reports there/],
    ['gaiad', ['run=perhaps'], /run/],
    ['role', ['rol=active'], /"rol"/],
    ['gaiad', ['config.config.toml.p2p.pex=false'], /config: .*"config"/],
  ])('%s %p is refused before it is sent', async (shadow, assignments, message) => {
    await expect(editShadow(operator, { thing: 'demo_c', shadow, assignments })).rejects.toThrow(message);
  });

  test('an edit of a thing that is not registered is refused', async () => {
    const assignments = ['role=active'];
    await expect(editShadow(operator, { thing: 'demo_z', shadow: 'role', assignments })).rejects.toThrow(
      /no thing/,
    );
    await expect(editShadow(operator, { thing: 'lamp', shadow: 'role', assignments })).rejects.toThrow(
      /<fleet>_<node>/,
    );
  });
});

describe('failover', () => {
  beforeAll(async () => {
    await update(grant(recordKey, { recordId, grantEpoch: 0 }, 'demo_a'));
    await update(claim(recordKey, { recordId, epoch: 1, holder: 'demo_a', incarnation: 'x' }));
    for (const node of ['a', 'b', 'c']) {
      await health(`demo_${node}`, { zone: node === 'c' ? 'z2' : 'z1' });
      await reportRole(`demo_${node}`, node === 'a' ? 'active' : 'standby', 1);
    }
    await health('demo_s', { kind: 'sentry', role: 'sentry' });
  });

  test('a dry run names the standby of another zone, and sends nothing', async () => {
    expect(await failover(operator, { fleet: 'demo', dryRun: true })).toMatchObject({
      from: 'demo_a',
      to: 'demo_c',
      epochBefore: 1,
      epochAfter: null,
      document: { state: { desired: { role: 'active' } } },
      sent: false,
    });
    expect(await edited('demo_c')).toBeUndefined();
  });

  test.each([
    ['a', /holds the role already, in epoch 1/],
    ['s', /is a sentry/],
    ['z', /no node z/],
    ['B!', /can't be a node's name/],
  ])('to %s: nothing is tried', async (to, message) => {
    await expect(failover(operator, { fleet: 'demo', to })).rejects.toThrow(message);
  });

  test('done: epochs, and how long it took', async () => {
    const switching = failover(operator, { fleet: 'demo', to: 'b' });
    await until(async () => (await edited('demo_b')) !== undefined);
    await update(grant(recordKey, { recordId, grantEpoch: 1 }, 'demo_b'));
    await reportRole('demo_b', 'standby', 1, { role: 'active', epoch: 2 });
    await update(claim(recordKey, { recordId, epoch: 2, holder: 'demo_b', incarnation: 'y' }));
    await reportRole('demo_b', 'active', 2);
    await reportRole('demo_a', 'standby', 2);
    const done = await switching;
    expect(done).toMatchObject({ from: 'demo_a', to: 'demo_b', epochBefore: 1, epochAfter: 2, missing: [] });
    expect(done.settledMs).toBeGreaterThanOrEqual(done.claimedMs ?? Number.POSITIVE_INFINITY);
    expect(await showNode(operator, 'demo_b')).toMatchObject({
      holder: true,
      role: 'active',
      desiredRole: 'active',
    });
  });

  test('refused: it says why', async () => {
    const switching = failover(operator, { fleet: 'demo', to: 'demo_c' });
    await until(async () => (await edited('demo_c')) !== undefined);
    await reportRole('demo_c', 'standby', 2, { role: 'standby', epoch: 2, reason: 'demo_c is behind' });
    await expect(switching).rejects.toThrow(/refused, and demo_c put back to standby: demo_c is behind/);
  });

  test('nothing comes of it: it says where to look; an abort ends the wait', async () => {
    await expect(failover(operator, { fleet: 'demo', to: 'c', timeoutMs: 150 })).rejects.toThrow(
      /is Commander running/,
    );
    const signal = AbortSignal.timeout(100);
    await expect(failover(operator, { fleet: 'demo', to: 'c', signal })).rejects.toThrow(/abort|timeout/i);
    expect((await readSignRecord(operator, recordKey))?.holder).toBe('demo_b');
  });

  test('nobody is fit: every reason is told', async () => {
    await health('demo_a', { connected: false });
    await health('demo_c', { signer: { state: 'refusing', address: 'AB', epoch: 1, height: 99 } });
    await expect(failover(operator, { fleet: 'demo' })).rejects.toThrow(
      /demo_a is offline; demo_b holds the role; the signer of demo_c is refusing/,
    );
  });
});

async function until(done: () => Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + 5_000; Date.now() < endMs; ) if (await done()) return;
  throw new Error('not in 5 s');
}
