import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import {
  DeleteConnectionCommand,
  GetConnectionCommand,
  GetRetainedMessageCommand,
  IoTDataPlaneClient,
  ListSubscriptionsCommand,
  PublishCommand,
  SendDirectMessageCommand,
} from '@aws-sdk/client-iot-data-plane';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { IPublishPacket } from 'mqtt-packet';
import { closed, listen, openTestCloud, settle, type TestCloud } from '../core-fixture.ts';
import { arn } from '../registry/arns.ts';

let cloud: TestCloud;
let data: IoTDataPlaneClient;
beforeAll(async () => {
  cloud = await openTestCloud();
  const { ready } = cloud;
  data = new IoTDataPlaneClient({
    endpoint: ready.https,
    region: ready.region,
    credentials: ready,
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: readFileSync(ready.ca) }) }),
  });
});
afterAll(async () => {
  data.destroy();
  await cloud.close();
});

test('a client’s connection and subscriptions are told, and it can be ended, with or without its session and will', async () => {
  const device = await cloud.device('demo_managed');
  const watcher = await cloud.connect(await cloud.device('demo_sees'));
  const inbox = listen(watcher);
  await watcher.subscribeAsync('managed/will');
  const clientId = device.thing;
  const will = { topic: 'managed/will', payload: Buffer.from('gone'), qos: 0 as const, retain: false };
  const first = await cloud.connect(device, { clean: false, will });
  await first.subscribeAsync(['a/+', 'b'], { qos: 1 });
  expect(
    await data.send(new GetConnectionCommand({ clientId, includeSocketInformation: true })),
  ).toMatchObject({
    clientId,
    connected: true,
    cleanSession: false,
    sessionExpiry: 3600,
    keepAliveDuration: 60,
    sourceIp: expect.stringContaining('127.0.0.1'),
    connectedSince: expect.any(Number),
  });
  const page = await data.send(new ListSubscriptionsCommand({ clientId, maxResults: 1 }));
  expect(page.subscriptions).toEqual([{ topicFilter: 'a/+', qos: 1 }]);
  const rest = await data.send(new ListSubscriptionsCommand({ clientId, nextToken: page.nextToken }));
  expect(rest.subscriptions).toEqual([{ topicFilter: 'b', qos: 1 }]);

  await data.send(new DeleteConnectionCommand({ clientId }));
  await closed(first);
  await inbox.until(1);
  expect(await data.send(new GetConnectionCommand({ clientId }))).toMatchObject({
    connected: false,
    disconnectReason: 'API_INITIATED_DISCONNECT',
    disconnectedSince: expect.any(Number),
  });
  const second = await cloud.connect(device, { clean: false, will });
  await data.send(new DeleteConnectionCommand({ clientId, cleanSession: true, preventWillMessage: true }));
  await closed(second);
  await settle();
  expect(inbox.heard).toHaveLength(1);
  await expect(data.send(new GetConnectionCommand({ clientId }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
  await expect(data.send(new DeleteConnectionCommand({ clientId: '$x' }))).rejects.toMatchObject({
    name: 'InvalidRequestException',
  });
});

test('Publish carries the properties of MQTT 5, and keeps off reserved topics', async () => {
  const client = await cloud.connect(await cloud.device('demo_properties'), { protocolVersion: 5 });
  const heard = new Promise<IPublishPacket>((resolve) => {
    client.on('message', (_topic, _payload, packet) => resolve(packet));
  });
  await client.subscribeAsync('by/https', { qos: 1 });
  await data.send(
    new PublishCommand({
      topic: 'by/https',
      qos: 1,
      payload: Buffer.from('{}'),
      userProperties: JSON.stringify([{ a: '1' }, { a: '2' }, { b: '3' }]),
      payloadFormatIndicator: 'UTF8_DATA',
      contentType: 'application/json',
      responseTopic: 'answer/here',
      correlationData: Buffer.from('c').toString('base64'),
      messageExpiry: 60,
    }),
  );
  const { properties } = await heard;
  expect(properties).toMatchObject({
    payloadFormatIndicator: true,
    contentType: 'application/json',
    responseTopic: 'answer/here',
    correlationData: Buffer.from('c'),
  });
  expect({ ...properties?.userProperties }).toEqual({ a: ['1', '2'], b: '3' });
  expect(properties?.messageExpiryInterval).toBeGreaterThan(55);
  const kept = { topic: 'kept/properties', qos: 1 as const, retain: true, payload: Buffer.from('x') };
  const userProperties = JSON.stringify([{ a: '1' }, { a: '2' }]);
  const { topic: keptTopic } = kept;
  await data.send(new PublishCommand({ ...kept, userProperties }));
  const withThem = await data.send(new GetRetainedMessageCommand({ topic: keptTopic }));
  expect(Buffer.from(withThem.userProperties ?? []).toString()).toBe(userProperties);
  await data.send(new PublishCommand(kept));
  const without = await data.send(new GetRetainedMessageCommand({ topic: keptTopic }));
  expect(without.userProperties).toBeUndefined();
  const refused = (topic: string, name: string, more = {}) =>
    expect(data.send(new PublishCommand({ topic, ...more }))).rejects.toMatchObject({ name });
  await refused('$aws/events/presence/connected/x', 'ForbiddenException');
  await refused('$aws/things/x/shadow/update', 'InvalidRequestException', { retain: true });
  await refused('a/+', 'InvalidRequestException');
  await refused('a', 'InvalidRequestException', { responseTopic: 'b/#' });
});

test('a direct message comes to its client without a subscription, and its acknowledgement can be waited for', async () => {
  const device = await cloud.device('demo_direct');
  const clientId = device.thing;
  const direct = (more = {}) =>
    data.send(
      new SendDirectMessageCommand({ clientId, topic: 'direct/1', payload: Buffer.from('hello'), ...more }),
    );
  await expect(direct()).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  const client = await cloud.connect(device, { protocolVersion: 5 });
  const inbox = listen(client);
  const packets: IPublishPacket[] = [];
  client.on('message', (_topic, _payload, packet) => void packets.push(packet));
  expect(await direct()).toMatchObject({ message: 'OK' });
  await direct({
    confirmation: true,
    contentType: 'text/plain',
    userProperties: JSON.stringify([{ a: '1' }]),
  });
  await inbox.until(2);
  expect(inbox.heard.map(({ topic, text, qos }) => [topic, text, qos])).toEqual([
    ['direct/1', 'hello', 0],
    ['direct/1', 'hello', 1],
  ]);
  expect(packets[1]?.properties).toMatchObject({ contentType: 'text/plain' });
  // Its QoS 1 messages by subscription have other numbers.
  await client.subscribeAsync('direct/2', { qos: 1 });
  await data.send(new PublishCommand({ topic: 'direct/2', qos: 1, payload: Buffer.from('x') }));
  await inbox.until(3);
  client.handleMessage = () => undefined;
  await expect(direct({ confirmation: true, timeout: 1 })).rejects.toMatchObject({
    name: 'GatewayTimeoutException',
    $metadata: { httpStatusCode: 504 },
  });
  await expect(direct({ confirmation: true, timeout: 16 })).rejects.toMatchObject({
    name: 'InvalidRequestException',
  });
  await expect(direct({ topic: 'a/#' })).rejects.toMatchObject({ name: 'InvalidRequestException' });
  await expect(direct({ topic: '$aws/x' })).rejects.toMatchObject({ name: 'ForbiddenException' });
  await cloud.core.registry.policies.detach('all', arn('cert', device.certificateId));
  const connectOnly = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'iot:Connect', Resource: '*' }],
  });
  await cloud.core.registry.policies.ensure('connect', connectOnly);
  await cloud.core.registry.policies.attach('connect', arn('cert', device.certificateId));
  await expect(direct()).rejects.toMatchObject({ name: 'ForbiddenException' });
});
