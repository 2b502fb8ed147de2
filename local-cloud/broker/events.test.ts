import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { IClientOptions, MqttClient } from 'mqtt';
import { closed, type Device, listen, openTestCloud, type TestCloud } from '../core-fixture.ts';
import { arn } from '../registry/arns.ts';

let cloud: TestCloud;
let watcher: MqttClient;
beforeAll(async () => {
  cloud = await openTestCloud({ keepAliveSeconds: { min: 1, max: 1200 } });
  watcher = await cloud.connect(await cloud.device('demo_watcher'));
});
afterAll(async () => {
  await cloud.close();
});

/** What a device's events are, until one of this type comes. */
async function eventsOf(device: Device, last: string, act: () => Promise<unknown>) {
  const filters = ['presence/connect_failed', 'presence/disconnected', 'subscriptions/+'].map(
    (kind) => `$aws/events/${kind}/${device.thing}`,
  );
  await watcher.subscribeAsync(filters);
  const inbox = listen(watcher);
  const events = () => inbox.texts().map((text) => JSON.parse(text) as Record<string, unknown>);
  await act();
  const deadline = Date.now() + 5000;
  while (!events().some(({ eventType }) => eventType === last)) {
    if (Date.now() > deadline) throw new Error(`no ${last}: ${inbox.texts().join(' ')}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await watcher.unsubscribeAsync(filters);
  return events();
}

const options: IClientOptions = { protocolVersion: 5 };

test.each([
  ['CLIENT_INITIATED_DISCONNECT', async (client: MqttClient) => client.endAsync()],
  ['CONNECTION_LOST', async (client: MqttClient) => void client.stream.destroy()],
  ['CLIENT_ERROR', async (client: MqttClient) => void client.publish('$aws/x', 'y', { qos: 0 })],
  ['DUPLICATE_CLIENTID', async (_client: MqttClient, device: Device) => cloud.connect(device)],
  [
    'API_INITIATED_DISCONNECT',
    async (client: MqttClient) => {
      expect(cloud.core.broker.disconnect(client.options.clientId ?? '')).toBe(true);
    },
  ],
  [
    'AUTH_ERROR',
    async (_client: MqttClient, device: Device) =>
      cloud.core.registry.certificates.update(device.certificateId, 'REVOKED'),
  ],
  ['MQTT_KEEP_ALIVE_TIMEOUT', async (client: MqttClient) => void client.stream.pause()],
])('a connection ends with %s', async (reason, act) => {
  const device = await cloud.device(`demo_${reason}`);
  const keepalive = reason === 'MQTT_KEEP_ALIVE_TIMEOUT' ? 1 : 60;
  const client = await cloud.connect(device, { ...options, keepalive, timerVariant: 'native' });
  if (keepalive === 1) client.sendPing = () => undefined;
  const [event] = await eventsOf(device, 'disconnected', () => act(client, device));
  expect(event).toMatchObject({
    clientId: device.thing,
    principalIdentifier: device.certificateId,
    disconnectReason: reason,
    clientInitiatedDisconnect: reason === 'CLIENT_INITIATED_DISCONNECT',
  });
});

test('what is subscribed and unsubscribed is told, with the session of the connection', async () => {
  const device = await cloud.device('demo_subscribes');
  const client = await cloud.connect(device, options);
  const events = await eventsOf(device, 'unsubscribed', async () => {
    await client.subscribeAsync(['a/b', 'c/#'], { qos: 1 });
    await client.unsubscribeAsync('a/b');
  });
  expect(events).toEqual([
    {
      clientId: device.thing,
      timestamp: expect.any(Number),
      eventType: 'subscribed',
      sessionIdentifier: expect.any(String),
      principalIdentifier: device.certificateId,
      topics: ['a/b', 'c/#'],
    },
    expect.objectContaining({ eventType: 'unsubscribed', topics: ['a/b'] }),
  ]);
  expect(events[0]?.sessionIdentifier).toBe(events[1]?.sessionIdentifier);
});

test('a connect that the policies do not let pass is told, for the will’s sake too', async () => {
  const { policies } = cloud.core.registry;
  await policies.ensure(
    'connect-only',
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'iot:Connect', Resource: '*' }],
    }),
  );
  const device = await cloud.device('demo_refused', ['connect-only']);
  const will = { topic: 'w', payload: Buffer.from('x'), qos: 0 as const, retain: false };
  const [event] = await eventsOf(device, 'connect_failed', async () => {
    await expect(cloud.connect(device, { ...options, will })).rejects.toThrow();
  });
  expect(event).toMatchObject({
    clientId: device.thing,
    connectFailureReason: 'AUTHORIZATION_FAILED',
    principalIdentifier: device.certificateId,
  });
  await policies.attach('all', arn('cert', device.certificateId));
  await cloud.connect(device, { ...options, will });
});

test('a second CONNECT ends the connection as the client’s error', async () => {
  const device = await cloud.device('demo_twice');
  const client = await cloud.connect(device, options);
  const [event] = await eventsOf(device, 'disconnected', async () => {
    const hello = Buffer.from([0x10, 13, 0, 4, ...Buffer.from('MQTT'), 5, 2, 0, 60, 0, 0, 0]);
    client.stream.write(hello);
    await closed(client);
  });
  expect(event).toMatchObject({ disconnectReason: 'CLIENT_ERROR' });
});
