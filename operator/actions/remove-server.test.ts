/** Against the local cloud's registry, shadows and tables; Commander's late write is played by the test's clock. */

import { PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { CreatePolicyCommand, DescribeCertificateCommand, DescribeThingCommand } from '@aws-sdk/client-iot';
import { UpdateThingShadowCommand } from '@aws-sdk/client-iot-data-plane';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { createCsr } from '../../certs-scripts/csr.ts';
import { makeDeviceKey } from '../../certs-scripts/device-key.ts';
import { registerCertificate, registerServer } from '../../certs-scripts/register.ts';
import { revoke } from '../../certs-scripts/rotate.ts';
import { openTablesCloud, type TablesCloud } from '../../local-cloud/tables-fixture.ts';
import { toJsonItem } from '../../protocol/dynamodb-json.ts';
import { fleetTableName } from '../../protocol/fleet-table.ts';
import { pilotPolicyName, serverPolicyNames } from '../../protocol/names.ts';
import { claim, enrol, grant, signTableName } from '../../protocol/sign-record.ts';
import { toUpdateItem } from '../../protocol/sign-record-dynamodb.ts';
import { admitServer } from './admit-server.ts';
import { configureFleet } from './configure-fleet.ts';
import { connectOperator, disconnect, type Operator } from './operator.ts';
import { mayItSign, removeServer } from './remove-server.ts';
import { leftovers } from './traces.ts';

// Real stores that sync to disk, on a machine that may be busy with other tests.
jest.setTimeout(60_000);

const recordKey = `beam-1/${'AB'.repeat(20)}`;
const recordId = 'record-0001';
let cloud: TablesCloud;
let operator: Operator;
/** What happens while the removal waits. */
let meanwhile: () => Promise<void> = async () => {};

beforeAll(async () => {
  cloud = await openTablesCloud();
  const { ready } = cloud;
  const { region, https: endpoint, ca, accessKeyId, secretAccessKey } = ready;
  const connected = connectOperator({ region, endpoint, ca, credentials: { accessKeyId, secretAccessKey } });
  operator = { ...connected, clock: { ...connected.clock, sleep: () => meanwhile() } };
  for (const policyName of serverPolicyNames('validator')) {
    const Statement = [{ Effect: 'Allow', Action: 'iot:Connect', Resource: '*' }];
    const policyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
    await operator.iot.send(new CreatePolicyCommand({ policyName, policyDocument }));
  }
  for (const node of ['a', 'b', 'c']) {
    const csr = await createCsr(makeDeviceKey(), node);
    await registerServer(operator.iot, { fleet: 'hub', node, kind: 'validator', zone: 'z' }, csr);
    await reportRole(`hub_${node}`, 'standby');
    const item = { fleet: 'hub', item: `hub_${node}` };
    await operator.dynamodb.send(new PutItemCommand({ TableName: fleetTableName, Item: toJsonItem(item) }));
  }
  await admitServer(operator, { fleet: 'hub', node: 'c', kind: 'validator', hours: 1 });
});

afterAll(async () => {
  disconnect(operator);
  await cloud.close();
});

const update = (change: Parameters<typeof toUpdateItem>[1]) =>
  operator.dynamodb.send(new UpdateItemCommand(toUpdateItem(signTableName, change)));
const reportRole = (thingName: string, role: string) =>
  operator.iotData.send(
    new UpdateThingShadowCommand({
      thingName,
      shadowName: 'role',
      payload: Buffer.from(JSON.stringify({ state: { reported: { role }, desired: { role } } })),
    }),
  );
const remove = (node: string, dryRun = false) =>
  removeServer(operator, { fleet: 'hub', node, dryRun, revoke: (arn) => revoke(operator.iot, arn) });
const isRegistered = (thingName: string) =>
  operator.iot.send(new DescribeThingCommand({ thingName })).then(
    () => true,
    () => false,
  );

test('without a record, who is active by its shadow stays; with one, the record alone decides', () => {
  const role = { desired: { role: 'standby' }, reported: { role: 'active' } };
  const record = { epoch: 3, holder: 'hub_a', grantEpoch: 3, grantTo: 'hub_a' };
  expect(mayItSign('hub_b', undefined, role)).toMatch(/active by its role shadow \(reported\)/);
  expect(mayItSign('hub_b', undefined, { desired: { role: 'active' } })).toMatch(/\(desired\)/);
  expect(mayItSign('hub_b', undefined, undefined)).toBeUndefined();
  // A host that died as the active one never reported otherwise.
  expect(mayItSign('hub_b', record, role)).toBeUndefined();
  expect(mayItSign('hub_a', record, undefined)).toMatch(/holds the right to sign \(epoch 3\)/);
  expect(mayItSign('hub_b', { ...record, grantEpoch: 4, grantTo: 'hub_b' }, undefined)).toMatch(/granted/);
});

test('the holder, and whom the right was granted to, stay whole', async () => {
  await configureFleet(operator, { fleet: 'hub', recordKey });
  await update(enrol(recordKey, recordId, { height: 9, round: 0, step: 3 }));
  await update(grant(recordKey, { recordId, grantEpoch: 0 }, 'hub_a'));
  await update(claim(recordKey, { recordId, epoch: 1, holder: 'hub_a', incarnation: 'i' }));
  await update(grant(recordKey, { recordId, grantEpoch: 1 }, 'hub_b'));
  await expect(remove('a')).rejects.toThrow(/hub_a holds the right to sign .*Nothing was removed/);
  await expect(remove('b')).rejects.toThrow(/hub_b has been granted the right to sign \(epoch 2\)/);
  expect(await Promise.all(['hub_a', 'hub_b'].map(isRegistered))).toEqual([true, true]);
});

test('of a standby nothing is left, though Commander wrote its shadow once more', async () => {
  const dry = await remove('c', true);
  expect(dry).toMatchObject({ sent: false, found: { registered: true, shadows: ['role'] } });
  expect(dry.found.items).toEqual(['#admission:c', 'hub_c']);
  const [certificate = ''] = dry.found.certificates;
  let late = 0;
  meanwhile = async () => {
    late += 1;
    if (late === 1) await reportRole('hub_c', 'standby');
  };
  expect(await remove('c')).toMatchObject({ sent: true, shared: [], left: null, found: dry.found });
  expect(late).toBe(2);
  expect(await isRegistered('hub_c')).toBe(false);
  const certificateId = certificate.slice(certificate.lastIndexOf('/') + 1);
  await expect(operator.iot.send(new DescribeCertificateCommand({ certificateId }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
  await expect(remove('c')).rejects.toThrow(/nothing is known of hub_c/);
});

test("what is left of a fleet is listed: servers, items, the record, certificates that are no thing's", async () => {
  const csr = await createCsr(makeDeviceKey(), 'nobody');
  const { certificateArn: certificate } = await registerCertificate(operator.iot, csr, [pilotPolicyName]);
  const found = await leftovers(operator);
  expect(found.fleets).toMatchObject([
    {
      fleet: 'hub',
      group: true,
      servers: [
        { thing: 'hub_a' },
        { thing: 'hub_b', registered: true, shadows: ['role'], items: ['hub_b'] },
      ],
      items: ['#config'],
      record: { key: recordKey, holder: 'hub_a' },
    },
  ]);
  expect(found.loose).toEqual([{ certificate, policy: pilotPolicyName }]);
});
