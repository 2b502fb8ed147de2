/** The decider with its executor, on the local cloud's own shadows and tables. */

import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { IoTDataPlaneClient, UpdateThingShadowCommand } from '@aws-sdk/client-iot-data-plane';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type DynamoCalls, dynamoCalls } from '../../dynamodb/calls.ts';
import { openTablesCloud, type TablesCloud } from '../../local-cloud/tables-fixture.ts';
import { toJsonItem } from '../../protocol/dynamodb-json.ts';
import { type FleetConfig, fleetItems, fleetTableName } from '../../protocol/fleet-table.ts';
import { claim, enrol, type ItemUpdate, type SignRecord, signTableName } from '../../protocol/sign-record.ts';
import { toUpdateItem } from '../../protocol/sign-record-dynamodb.ts';
import { Announcer } from '../aws/announce.ts';
import { type DynamoDb, retrying } from '../aws/dynamodb.ts';
import { callBounds } from '../aws/environment.ts';
import { FleetTable } from '../aws/fleet-table.ts';
import { Shadows } from '../aws/shadows.ts';
import { SignTable } from '../aws/sign-table.ts';
import type { Trigger } from './core/fleet.ts';
import { edit, sampleHealth, sweep } from './core/sample-fleet.ts';
import type { Effects } from './execute.ts';
import { settle } from './settle.ts';
import { WriteLimit } from './write-limit.ts';

// Real stores that sync to disk, on a machine that may be busy with other tests.
jest.setTimeout(60_000);

const recordId = 'record-0001';
let cloud: TablesCloud;
let calls: DynamoCalls;
let dynamodb: DynamoDb;
let iotData: IoTDataPlaneClient;

beforeAll(async () => {
  for (const level of ['info', 'warn', 'error'] as const)
    jest.spyOn(console, level).mockImplementation(() => {});
  cloud = await openTablesCloud();
  const { ready } = cloud;
  const settings = {
    region: ready.region,
    endpoint: ready.https,
    credentials: { accessKeyId: ready.accessKeyId, secretAccessKey: ready.secretAccessKey },
    requestHandler: { httpsAgent: new Agent({ keepAlive: true, ca: readFileSync(ready.ca) }) },
  };
  calls = dynamoCalls({
    ...settings,
    ca: () => readFileSync(ready.ca),
    callsMax: 100,
    credentials: async () => settings.credentials,
    connectMsMax: 1000,
    answerBytesMax: 2 ** 20,
  });
  dynamodb = retrying(calls, callBounds);
  iotData = new IoTDataPlaneClient(settings);
});

afterAll(async () => {
  jest.restoreAllMocks();
  calls.close();
  iotData.destroy();
  await cloud.close();
});

const update = (change: ItemUpdate) => dynamodb.updateItem(toUpdateItem(signTableName, change));

let fleets = 0;
/** A fleet of its own: `a` holds epoch 1 (granted and claimed through an edit), `b` and `c` stand by. */
async function fresh() {
  const fleet = `fleet-${fleets++}`;
  const recordKey = `${fleet}-1/AA`;
  const effects: Effects = {
    fleetTable: new FleetTable(dynamodb, fleetTableName),
    signTable: new SignTable(dynamodb, signTableName),
    shadows: new Shadows(iotData),
    announcer: new Announcer(iotData, Date.now),
    limit: new WriteLimit(Date.now),
  };
  const thing = (node: string) => `${fleet}_${node}`;
  const config: FleetConfig = {
    fleet,
    item: fleetItems.config,
    recordKey,
    automaticFailover: true,
    cooldownSeconds: 0,
  };
  const items: object[] = ['a', 'b', 'c'].map((node) => ({
    ...sampleHealth(thing(node), { receivedAt: Date.now() }),
    fleet,
    signer: { state: 'standby', address: 'AA', recordKey, recordId, epoch: 0, height: 0 },
  }));
  for (const item of [config, ...items]) {
    await dynamodb.putItem({ TableName: fleetTableName, Item: toJsonItem(item) });
  }
  await update(enrol(recordKey, recordId, { height: 0, round: 0, step: 0 }));

  const write = (node: string, state: object) =>
    iotData.send(
      new UpdateThingShadowCommand({
        thingName: thing(node),
        shadowName: 'role',
        payload: Buffer.from(JSON.stringify({ state })),
      }),
    );
  const self = {
    effects,
    thing,
    decide: (trigger: Trigger, some: Partial<Effects> = {}) =>
      settle({ ...effects, ...some }, fleet, trigger),
    report: (node: string, role: string, epoch: number) =>
      write(node, { reported: { role, epoch, since: '', reason: '' } }),
    /** An operator's edit. @returns the event that a rule would make of it. */
    edit: async (node: string, desired: { role: string; epoch?: number }): Promise<Trigger> => {
      await write(node, { desired });
      const { desired: now } = (await effects.shadows.get(thing(node), 'role')) ?? {};
      return edit(thing(node), 'standby', now as { role: string }, Date.now());
    },
    record: async (): Promise<SignRecord> => {
      const read = await effects.signTable.record(recordKey);
      if (read.state !== 'read') throw new Error(read.state);
      return read.record;
    },
    claim: async () => {
      const { grantEpoch, grantTo } = await self.record();
      await update(claim(recordKey, { recordId, epoch: grantEpoch, holder: grantTo, incarnation: 'x' }));
    },
    desired: async () => {
      const shadows = await Promise.all(
        ['a', 'b', 'c'].map((node) => effects.shadows.get(thing(node), 'role')),
      );
      return shadows.map((shadow) => shadow?.desired);
    },
  };
  for (const node of ['a', 'b', 'c']) await self.report(node, 'standby', 0);
  await self.decide(await self.edit('a', { role: 'active' }));
  await self.claim();
  await self.report('a', 'active', 1);
  await self.decide(sweep);
  return self;
}

const standby = { role: 'standby', epoch: 1 };

test('the first active, from an edit to the claim', async () => {
  const fleet = await fresh();
  expect(await fleet.record()).toMatchObject({ epoch: 1, holder: fleet.thing('a') });
  expect(await fleet.desired()).toEqual([{ role: 'active', epoch: 1 }, standby, standby]);
});

test('deciders at once, for two edits and a sweep: one grant, one active, the other edit put back', async () => {
  for (let round = 0; round < 3; round++) {
    const fleet = await fresh();
    const edits = [
      await fleet.edit('b', { role: 'active' }),
      await fleet.edit('c', { role: 'active', epoch: 9 }),
    ];
    await Promise.all([...edits, ...edits, sweep].map((trigger) => fleet.decide(trigger)));
    const { grantEpoch, grantTo, epoch } = await fleet.record();
    expect([grantEpoch, epoch]).toEqual([2, 1]);
    await fleet.claim();
    await Promise.all([...edits, sweep].map((trigger) => fleet.decide(trigger)));
    await fleet.decide(sweep);
    const desired = await fleet.desired();
    const [winner, loser] =
      grantTo === fleet.thing('b') ? [desired[1], desired[2]] : [desired[2], desired[1]];
    expect(desired[0]).toEqual({ role: 'standby', epoch: 2 });
    expect(winner).toEqual({ role: 'active', epoch: 2 });
    expect(loser).toMatchObject({ role: 'standby', epoch: 2, reason: expect.stringMatching(/\w/) });
    expect(await fleet.record()).toMatchObject({ grantEpoch: 2, epoch: 2, holder: grantTo });
  }
});

test('a decider that ends after the grant: the next one finishes the same epoch', async () => {
  const fleet = await fresh();
  const trigger = await fleet.edit('b', { role: 'active' });
  class Gone extends Shadows {
    override async write(): Promise<boolean> {
      throw new Error('the function ended');
    }
  }
  const told: string[] = [];
  class Told extends Announcer {
    override async announce({ text }: { text: string }): Promise<void> {
      told.push(text);
    }
  }
  const announcer = new Told(iotData, Date.now);
  await expect(fleet.decide(trigger, { shadows: new Gone(iotData), announcer })).rejects.toThrow('ended');
  // The grant stands, and no later decider would tell of it.
  expect(told).toEqual([expect.stringMatching(/is to sign from epoch 2 on/)]);
  expect(await fleet.record()).toMatchObject({ grantEpoch: 2, grantTo: fleet.thing('b'), epoch: 1 });
  await fleet.decide(sweep);
  expect((await fleet.desired())[1]).toEqual({ role: 'active', epoch: 2 });
  expect(await fleet.record()).toMatchObject({ grantEpoch: 2 });
});

test('a shadow that somebody keeps writing: the decider gives up after some rounds, and says so', async () => {
  const fleet = await fresh();
  await fleet.edit('a', { role: 'standby' });
  class Contended extends Shadows {
    override async write(): Promise<boolean> {
      return false;
    }
  }
  await expect(fleet.decide(sweep, { shadows: new Contended(iotData) })).rejects.toThrow(
    /5 decisions in a row/,
  );
});
