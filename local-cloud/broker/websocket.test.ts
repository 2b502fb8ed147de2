import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Sha256 } from '@aws-crypto/sha256-js';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { WebSocket } from 'ws';
import { listen, openTestCloud, type TestCloud } from '../core-fixture.ts';
import { createWebSockets } from './websocket.ts';

let cloud: TestCloud;
const clients: MqttClient[] = [];
beforeAll(async () => {
  cloud = await openTestCloud();
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.endAsync(true)));
  await cloud.close();
});

interface Signing {
  secret?: string;
  service?: string;
  agoMs?: number;
  path?: string;
  /** Behind the signature, as AWS IoT wants it. */
  sessionToken?: string;
}

async function signedUrl({
  secret,
  service = 'iotdevicegateway',
  agoMs = 0,
  path = '/mqtt',
  sessionToken,
}: Signing = {}) {
  const { accessKeyId, secretAccessKey, region, https } = cloud.ready;
  const { host } = new URL(https);
  const signer = new SignatureV4({
    credentials: { accessKeyId, secretAccessKey: secret ?? secretAccessKey },
    region,
    service,
    sha256: Sha256,
  });
  const request = { method: 'GET', protocol: 'wss:', hostname: host, path, query: {}, headers: { host } };
  const { query } = await signer.presign(request, {
    signingDate: new Date(Date.now() - agoMs),
    expiresIn: 60,
  });
  const parameters = new URLSearchParams(query as Record<string, string>);
  const all =
    sessionToken === undefined
      ? parameters
      : new URLSearchParams([...parameters, ['X-Amz-Security-Token', sessionToken]]);
  return `wss://${host}${path}?${all}`;
}

async function connect(
  clientId: string,
  signing: Signing = {},
  options: IClientOptions = {},
): Promise<MqttClient> {
  const client = mqtt.connect(await signedUrl(signing), {
    clientId,
    ca: cloud.caPem,
    reconnectPeriod: 0,
    protocolVersion: 5,
    ...options,
  });
  clients.push(client);
  client.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
    client.once('close', () => reject(new Error('closed before it was connected')));
  });
  return client;
}

test.each([4, 5] as const)(
  'a signed WebSocket carries MQTT of level %i, beside those with certificates',
  async (protocolVersion) => {
    const client = await connect(`page-${protocolVersion}`, {}, { protocolVersion });
    const inbox = listen(client);
    await client.subscribeAsync(['ws/#', '$aws/things/demo_ws/shadow/update/accepted'], { qos: 1 });
    const device = await cloud.connect(await cloud.device(`demo_ws-${protocolVersion}`));
    await device.publishAsync('ws/x', Buffer.alloc(100_000, 'x'), { qos: 1 });
    await client.publishAsync('$aws/things/demo_ws/shadow/update', '{"state":{"desired":{"a":1}}}', {
      qos: 1,
    });
    await inbox.until(2);
    expect(inbox.heard.map(({ topic, text }) => [topic, text.length > 99_999])).toEqual([
      ['ws/x', true],
      ['$aws/things/demo_ws/shadow/update/accepted', false],
    ]);
  },
);

test.each<[string, Signing, string]>([
  ['another secret', { secret: 'x' }, 'InvalidSignatureException'],
  ['another service', { service: 'iotdata' }, 'InvalidSignatureException'],
  ['a minute that is over', { agoMs: 61_000 }, 'InvalidSignatureException'],
  ['another path', { path: '/other' }, 'InvalidRequestException'],
])('a WebSocket that is signed with %s is refused as AWS does', async (_name, signing, type) => {
  const socket = new WebSocket(await signedUrl(signing), 'mqtt', { ca: cloud.caPem });
  const status = await new Promise((resolve) => {
    socket.on('unexpected-response', (_request, response) =>
      resolve([response.statusCode, response.headers['x-amzn-errortype']]),
    );
    socket.on('error', () => undefined);
  });
  expect(status).toEqual([type === 'InvalidRequestException' ? 400 : 403, type]);
});

test('a WebSocket without a signature is refused', async () => {
  const { https } = cloud.ready;
  const socket = new WebSocket(`${https.replace('https', 'wss')}/mqtt`, 'mqtt', { ca: cloud.caPem });
  const status = await new Promise((resolve) => {
    socket.on('unexpected-response', (_request, { statusCode }) => resolve(statusCode));
    socket.on('error', () => undefined);
  });
  expect(status).toBe(403);
});

test('a close frame is a goodbye, without a will; a connection that breaks is not', async () => {
  const watcher = await connect('watcher');
  const inbox = listen(watcher);
  await watcher.subscribeAsync(['$aws/events/presence/disconnected/+', 'ws-wills']);
  const will = { topic: 'ws-wills', payload: Buffer.from('gone'), qos: 0 as const, retain: false };
  const hello = Buffer.from([
    0x10,
    24,
    0,
    4,
    ...Buffer.from('MQTT'),
    4,
    6,
    0,
    60,
    0,
    2,
    ...Buffer.from('hi'),
  ]);
  const raw = Buffer.concat([hello, Buffer.from([0, 8]), Buffer.from('ws-wills'), Buffer.from([0, 0])]);
  raw[1] = raw.length - 2;
  const socket = new WebSocket(await signedUrl(), 'mqtt', { ca: cloud.caPem });
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(raw);
  await new Promise((resolve) => socket.once('message', resolve));
  socket.close(1000);
  await inbox.until(1);
  const broken = await connect('broken', {}, { will });
  broken.stream.destroy();
  await inbox.until(3);
  const found = inbox.heard.map(({ topic, text }) =>
    topic === 'ws-wills' ? 'will' : (JSON.parse(text) as { clientId: string; disconnectReason: string }),
  );
  expect(found).toEqual([
    expect.objectContaining({ clientId: 'hi', disconnectReason: 'CLIENT_INITIATED_DISCONNECT' }),
    'will',
    expect.objectContaining({ clientId: 'broken', disconnectReason: 'CONNECTION_LOST' }),
  ]);
});

test('a WebSocket ends when its time is over: the client is told, its will is sent, and the event says why', async () => {
  const { broker } = cloud.core;
  const handle = createWebSockets({
    broker,
    check: async () => 'AKIAANY',
    refused: () => undefined,
    connectionMsMax: 300,
  });
  const server = createServer().on('upgrade', handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const watcher = await connect('ttl-watcher');
  const inbox = listen(watcher);
  await watcher.subscribeAsync(['$aws/events/presence/disconnected/ttl', 'ttl/will']);
  const client = mqtt.connect(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/mqtt`, {
    clientId: 'ttl',
    reconnectPeriod: 0,
    protocolVersion: 5,
    will: { topic: 'ttl/will', payload: Buffer.from('gone'), qos: 0, retain: false },
  });
  clients.push(client);
  const packet = await new Promise<{ reasonCode?: number }>((resolve) => client.once('disconnect', resolve));
  // Administrative action.
  expect(packet.reasonCode).toBe(0x98);
  await inbox.until(2);
  const event = inbox.heard.find(({ topic }) => topic.startsWith('$aws'));
  expect(JSON.parse(event?.text ?? '{}')).toMatchObject({
    clientId: 'ttl',
    disconnectReason: 'WEBSOCKET_TTL_EXPIRATION',
    clientInitiatedDisconnect: false,
  });
  expect(inbox.texts()).toContain('gone');
  server.close();
});
