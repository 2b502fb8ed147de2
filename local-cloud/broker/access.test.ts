import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  closed,
  type Device,
  eventually,
  listen,
  openTestCloud,
  settle,
  type TestCloud,
} from '../core-fixture.ts';
import { arn } from '../registry/arns.ts';
import { certificateIdOf } from '../registry/certificate-pem.ts';
import { createIssuer, makeAuthority } from '../tls/issuer.ts';

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await openTestCloud({ keepAliveSeconds: { min: 1, max: 1200 } });
});
afterAll(async () => {
  await cloud.close();
});

/** A policy variable as a document writes it. */
const v = (name: string) => `\${iot:Connection.Thing.${name}}`;
const any = (rest: string) => `arn:aws:iot:*:*:${rest}`;

/** Own client id, own topics below the fleet, own shadows: what a pilot's policy says. */
const ownOnly = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Action: 'iot:Connect', Resource: any(`client/${v('ThingName')}`) },
    {
      Effect: 'Allow',
      Action: ['iot:Publish', 'iot:Receive'],
      Resource: [
        any(`topic/beam/${v('Attributes[fleet]')}/${v('ThingName')}/*`),
        any(`topic/$aws/things/${v('ThingName')}/*`),
      ],
    },
    {
      Effect: 'Allow',
      Action: 'iot:Subscribe',
      Resource: [any('topicfilter/beam/*'), any(`topicfilter/$aws/things/${v('ThingName')}/*`)],
    },
  ],
});

async function pilot(thing: string): Promise<Device> {
  await cloud.core.registry.policies.ensure('own', ownOnly);
  const device = await cloud.device(thing, ['own']);
  await cloud.core.registry.things.update(thing, { attributePayload: { attributes: { fleet: 'demo' } } });
  return device;
}

function refusals(certificateId: string | undefined) {
  return cloud.log
    .filter(({ msg, principalId }) => msg === 'refused' && principalId === certificateId)
    .map(({ why }) => why);
}

test('a connection needs a certificate that is registered, active and in its time', async () => {
  const device = await cloud.device('demo_cert');
  const { certificates } = cloud.core.registry;

  await expect(cloud.connect(device, { cert: '', key: '' })).rejects.toThrow();
  await eventually(() => refusals(undefined).includes('no client certificate'));

  const foreign = await createIssuer(await makeAuthority('another CA')).withNewKey();
  const foreignId = certificateIdOf(new X509Certificate(foreign.certificatePem).raw);
  const asForeign = { cert: foreign.certificatePem, key: foreign.privateKeyPem };
  await expect(cloud.connect(device, asForeign)).rejects.toThrow();
  await eventually(() => refusals(foreignId).includes('the certificate is not registered'));

  await certificates.update(device.certificateId, 'INACTIVE');
  await expect(cloud.connect(device)).rejects.toThrow();
  await eventually(() => refusals(device.certificateId).includes('the certificate is INACTIVE'));
  await certificates.update(device.certificateId, 'REVOKED');
  await expect(cloud.connect(device)).rejects.toThrow();
  await certificates.update(device.certificateId, 'ACTIVE');
  await cloud.connect(device);

  // Registered, it may come from any CA: its key is proven by TLS.
  await certificates.register(foreign.certificatePem, 'ACTIVE');
  await cloud.core.registry.policies.attach('all', arn('cert', foreignId));
  await cloud.connect(device, { ...asForeign, clientId: 'demo_foreign' });
});

test('a certificate that is expired is refused', async () => {
  const { certificatePem, privateKeyPem } = await makeAuthority('late', new Date(Date.now() - 1000));
  const { certificateId } = await cloud.core.registry.certificates.register(certificatePem, 'ACTIVE');
  await cloud.core.registry.policies.attach('all', arn('cert', certificateId));
  const device = await cloud.device('demo_late');
  await expect(cloud.connect(device, { cert: certificatePem, key: privateKeyPem })).rejects.toThrow();
  await eventually(() => refusals(certificateId).includes('the certificate is expired or not yet valid'));
});

test('without the key, a registered certificate opens nothing', async () => {
  const device = await cloud.device('demo_thief');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  await expect(cloud.connect(device, { key })).rejects.toThrow();
});

test.each([4, 5] as const)('a thing acts for itself only (MQTT level %i)', async (protocolVersion) => {
  const self = `demo_self-${protocolVersion}`;
  const other = `demo_other-${protocolVersion}`;
  const device = await pilot(self);
  const neighbour = await pilot(other);
  const options = { protocolVersion };

  await expect(cloud.connect(device, { ...options, clientId: other })).rejects.toThrow();
  expect(refusals(device.certificateId)).toEqual(['no policy allows iot:Connect']);

  const client = await cloud.connect(device, options);
  const inbox = listen(client);
  await client.subscribeAsync(['beam/#', `$aws/things/${self}/shadow/name/role/update/+`], { qos: 1 });
  await client.publishAsync(`beam/demo/${self}/health`, 'mine', { qos: 1 });
  const neighbourClient = await cloud.connect(neighbour, options);
  await neighbourClient.publishAsync(`beam/demo/${other}/health`, 'theirs', { qos: 1 });
  await inbox.until(1);
  await settle();
  expect(inbox.texts()).toEqual(['mine']);
  expect(refusals(device.certificateId)).toContain('no policy allows iot:Receive');

  const [grant] = await client.subscribeAsync(`$aws/things/${other}/shadow/#`).catch(() => []);
  expect(grant?.qos ?? 128).toBeGreaterThanOrEqual(0x80);

  client.publish(
    `$aws/things/${other}/shadow/name/role/update`,
    '{"state":{"desired":{"a":1}}}',
    { qos: 1 },
    () => undefined,
  );
  await closed(client);
  expect(cloud.core.shadows.read({ thing: other, shadow: 'role' })).toBeUndefined();
  expect(refusals(device.certificateId)).toContain('no policy allows iot:Publish');
});

test('a change of policy holds at once, for connections that are open too', async () => {
  const { policies } = cloud.core.registry;
  const allow = (topic: string) =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: ['iot:Connect', 'iot:Subscribe', 'iot:Receive'], Resource: '*' },
        { Effect: 'Allow', Action: 'iot:Publish', Resource: any(`topic/${topic}`) },
      ],
    });
  await policies.ensure('changing', allow('first'));
  const client = await cloud.connect(await cloud.device('demo_changing', ['changing']));
  await client.publishAsync('first', 'x', { qos: 1 });
  await policies.ensure('changing', allow('second'));
  await client.publishAsync('second', 'x', { qos: 1 });
  client.publish('first', 'x', { qos: 1 }, () => undefined);
  await closed(client);
});

test('a certificate that is made inactive cuts its connection', async () => {
  const device = await cloud.device('demo_cut');
  const watcher = await cloud.connect(await cloud.device('demo_watcher'));
  const inbox = listen(watcher);
  await watcher.subscribeAsync('$aws/events/presence/disconnected/demo_cut');
  const client = await cloud.connect(device);
  await cloud.core.registry.certificates.update(device.certificateId, 'INACTIVE');
  await closed(client);
  await inbox.until(1);
  expect(JSON.parse(inbox.texts()[0] ?? '{}')).toMatchObject({
    disconnectReason: 'AUTH_ERROR',
    clientId: 'demo_cut',
  });
});

test('a client that says nothing for one and a half times its keep-alive is cut', async () => {
  const watcher = await cloud.connect(await cloud.device('demo_clock'));
  const inbox = listen(watcher);
  await watcher.subscribeAsync('$aws/events/presence/disconnected/demo_silent');
  const { thing, certificatePem, keyPem } = await cloud.device('demo_silent');
  const socket = connect({
    host: 'localhost',
    port: cloud.port,
    ca: cloud.caPem,
    cert: certificatePem,
    key: keyPem,
  });
  socket.on('error', () => undefined);
  // CONNECT of MQTT 3.1.1: clean session, a keep-alive of 1 s, the client id; then nothing.
  const header = Buffer.from([
    0x10,
    12 + thing.length,
    0,
    4,
    ...Buffer.from('MQTT'),
    4,
    2,
    0,
    1,
    0,
    thing.length,
  ]);
  const since = Date.now();
  socket.write(Buffer.concat([header, Buffer.from(thing)]));
  await inbox.until(1);
  expect(Date.now() - since).toBeGreaterThan(1000);
  expect(JSON.parse(inbox.texts()[0] ?? '{}')).toMatchObject({ disconnectReason: 'MQTT_KEEP_ALIVE_TIMEOUT' });
});

test('a subscription that was refused is not kept with the session, though its neighbour is', async () => {
  const { policies } = cloud.core.registry;
  const document = (filter: string) =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: ['iot:Connect', 'iot:Publish', 'iot:Receive'], Resource: '*' },
        { Effect: 'Allow', Action: 'iot:Subscribe', Resource: any(`topicfilter/${filter}`) },
      ],
    });
  await policies.ensure('narrow', document('mine/*'));
  const device = await cloud.device('demo_narrow', ['narrow']);
  const first = await cloud.connect(device, { clean: false, protocolVersion: 4 });
  await first.subscribeAsync(['mine/a', 'theirs/a'], { qos: 1 }).catch(() => undefined);
  await first.endAsync();
  const sender = await cloud.connect(await cloud.device('demo_sender'));
  await sender.publishAsync('theirs/a', 'not for you', { qos: 1 });
  await sender.publishAsync('mine/a', 'for you', { qos: 1 });
  const second = await cloud.connect(device, { clean: false, protocolVersion: 4, manualConnect: true });
  const inbox = listen(second);
  second.connect();
  await inbox.until(1);
  await settle();
  expect(inbox.texts()).toEqual(['for you']);
});

test("a policy of the thing's group counts", async () => {
  const { groups, policies } = cloud.core.registry;
  const device = await cloud.device('demo_grouped', []);
  await groups.create('beam_demo');
  await groups.create('beam_demo_child', 'beam_demo');
  await expect(cloud.connect(device)).rejects.toThrow();
  await groups.add('beam_demo_child', 'demo_grouped');
  await policies.attach('all', arn('thinggroup', 'beam_demo'));
  await cloud.connect(device);
});
