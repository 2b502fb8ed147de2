import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { IClientOptions, MqttClient } from 'mqtt';
import type { IConnackPacket, IDisconnectPacket, IPublishPacket } from 'mqtt-packet';
import {
  closed,
  type Device,
  eventually,
  listen,
  openTestCloud,
  settle,
  type TestCloud,
} from '../core-fixture.ts';

let cloud: TestCloud;
let nowMs = 1_700_000_000_000;
let count = 0;
beforeAll(async () => {
  cloud = await openTestCloud({ nowMs: () => nowMs });
});
afterAll(async () => {
  await cloud.close();
});

const device = () => cloud.device(`demo_five-${++count}`);

async function connect(to?: Device, options: IClientOptions = {}): Promise<MqttClient> {
  return cloud.connect(to ?? (await device()), { protocolVersion: 5, ...options });
}

/** The next packet of a kind that the client receives. */
function next<P>(client: MqttClient, cmd: string): Promise<P> {
  return new Promise((resolve) => {
    client.on('packetreceive', (packet) => {
      if (packet.cmd === cmd) resolve(packet as P);
    });
  });
}

async function connack(options: IClientOptions): Promise<IConnackPacket> {
  const client = await connect(undefined, { manualConnect: true, ...options });
  const packet = next<IConnackPacket>(client, 'connack');
  client.connect();
  return packet;
}

test('CONNACK tells what AWS has, and what it made of the wishes', async () => {
  const { properties, reasonCode } = await connack({
    keepalive: 5,
    clientId: '',
    properties: { sessionExpiryInterval: 7200 },
  });
  expect(reasonCode).toBe(0);
  expect(properties).toEqual({
    receiveMaximum: 100,
    maximumQoS: 1,
    retainAvailable: true,
    maximumPacketSize: 149_504,
    topicAliasMaximum: 8,
    wildcardSubscriptionAvailable: true,
    subscriptionIdentifiersAvailable: false,
    sharedSubscriptionAvailable: true,
    sessionExpiryInterval: 3600,
    serverKeepAlive: 30,
    assignedClientIdentifier: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
});

test.each([
  ['a client id that is too long', 0x85, { clientId: 'x'.repeat(129) }],
  ['a will at QoS 2', 0x9b, { will: { topic: 'w', payload: Buffer.from('x'), qos: 2, retain: false } }],
  [
    'a will to a reserved topic',
    0x90,
    { will: { topic: '$aws/x', payload: Buffer.from('x'), qos: 1, retain: false } },
  ],
  ['enhanced authentication', 0x8c, { properties: { authenticationMethod: 'x' } }],
] as const)('CONNACK refuses %s with reason code %i', async (_name, code, options) => {
  const packet = await connack(options);
  expect(packet.reasonCode).toBe(code);
  expect(packet.properties?.reasonString).toEqual(expect.any(String));
});

test('acknowledgements and DISCONNECT tell why', async () => {
  const codes = async (act: (client: MqttClient) => void, cmd: string) => {
    const client = await connect();
    const answer = next<{ reasonCode: number; granted?: number[] }>(client, cmd);
    const goodbye = next<IDisconnectPacket>(client, 'disconnect');
    act(client);
    const { reasonCode, granted } = await answer;
    return [granted ?? reasonCode, cmd === 'suback' ? undefined : (await goodbye).reasonCode];
  };
  const publish =
    (topic: string, size = 1) =>
    (client: MqttClient) =>
      void client.publish(topic, Buffer.alloc(size), { qos: 1 }, () => undefined);
  expect(await codes(publish('$aws/reserved'), 'puback')).toEqual([0x90, 0x90]);
  expect(await codes(publish('a', 128 * 1024 + 1), 'disconnect')).toEqual([0x95, 0x95]);
  const subscribe = (filters: string[]) => (client: MqttClient) =>
    void client.subscribe(filters, { qos: 1 }, () => undefined);
  expect(await codes(subscribe(['fine', '$other/x', 'a/b/c/d/e/f/g/h/i']), 'suback')).toEqual([
    [1, 0x8f, 0x8f],
    undefined,
  ]);
  const nine = Array.from({ length: 9 }, (_, n) => `f/${n}`);
  expect(await codes(subscribe(nine), 'disconnect')).toEqual([0x97, 0x97]);
  const identified = (client: MqttClient) =>
    void client.subscribe('x', { qos: 0, properties: { subscriptionIdentifier: 1 } }, () => undefined);
  expect(await codes(identified, 'disconnect')).toEqual([0xa1, 0xa1]);
});

test('a second connection of a client id is told so to the first', async () => {
  const same = await device();
  const first = await connect(same);
  const goodbye = next<IDisconnectPacket>(first, 'disconnect');
  await connect(same);
  expect((await goodbye).reasonCode).toBe(0x8e);
});

test('request and response, content type, payload format and user properties reach the receiver', async () => {
  const receiver = await connect();
  const heard = next<IPublishPacket>(receiver, 'publish');
  await receiver.subscribeAsync('ask', { qos: 1 });
  const properties = {
    responseTopic: 'answer/here',
    correlationData: Buffer.from([0, 1, 255]),
    contentType: 'application/json',
    payloadFormatIndicator: true,
    userProperties: { a: ['1', '2'], ['__proto__']: 'x' },
  };
  await (await connect()).publishAsync('ask', '{}', { qos: 1, properties });
  const received = (await heard).properties;
  expect(received).toMatchObject({ ...properties, userProperties: { a: ['1', '2'] } });
  expect(Object.entries(received?.userProperties ?? {})).toContainEqual(['__proto__', 'x']);
});

test('topic aliases: the client’s stand for its topics, ours only where the client takes them', async () => {
  const receiver = await connect(undefined, { properties: { topicAliasMaximum: 5 } });
  const packets: IPublishPacket[] = [];
  receiver.on('packetreceive', (packet) => {
    if (packet.cmd === 'publish') packets.push({ ...packet });
  });
  const inbox = listen(receiver);
  await receiver.subscribeAsync('alias/#', { qos: 1 });
  const sender = await connect(undefined, { autoAssignTopicAlias: true });
  const sent: string[] = [];
  sender.on('packetsend', (packet) => {
    if (packet.cmd === 'publish') sent.push(packet.topic);
  });
  for (let n = 0; n < 3; n++) await sender.publishAsync('alias/long/name', String(n), { qos: 1 });
  await inbox.until(3);
  expect(sent).toEqual(['alias/long/name', '', '']);
  expect(inbox.heard.map(({ topic, text }) => [topic, text])).toEqual([
    ['alias/long/name', '0'],
    ['alias/long/name', '1'],
    ['alias/long/name', '2'],
  ]);
  expect(packets.map(({ properties }) => properties?.topicAlias)).toEqual([1, 1, 1]);
});

test('No Local and Retain As Published are kept', async () => {
  const client = await connect();
  const inbox = listen(client);
  await client.subscribeAsync('own', { qos: 1, nl: true });
  await client.subscribeAsync('flag', { qos: 1, rap: true });
  await client.publishAsync('own', 'mine', { qos: 1 });
  await client.publishAsync('flag', 'kept', { qos: 1, retain: true });
  await inbox.until(1);
  await settle();
  expect(inbox.heard).toMatchObject([{ topic: 'flag', retain: true }]);
});

test('a message that expires is not delivered late, a retained one no more; what is left of its time is told', async () => {
  const same = await device();
  const session = { clean: false, properties: { sessionExpiryInterval: 3600 } };
  const first = await connect(same, session);
  await first.subscribeAsync('late/#', { qos: 1 });
  await first.endAsync();
  const sender = await connect();
  const send = (topic: string, seconds: number, retain = false) =>
    sender.publishAsync(topic, topic, { qos: 1, retain, properties: { messageExpiryInterval: seconds } });
  await send('late/short', 10);
  await send('late/long', 100);
  await send('kept/short', 10, true);
  // Whole seconds count: of 100, some 30 of them waited, 70 are left.
  nowMs += 30_400;
  const second = await connect(same, { ...session, manualConnect: true });
  const inbox = listen(second);
  const packet = next<IPublishPacket>(second, 'publish');
  second.connect();
  await inbox.until(1);
  await second.subscribeAsync('kept/short', { qos: 1 });
  await settle();
  expect(inbox.texts()).toEqual(['late/long']);
  expect((await packet).properties?.messageExpiryInterval).toBe(70);
});

test('a session ends with its expiry, with a DISCONNECT that says 0, and at a clean start', async () => {
  const same = await device();
  const present = async (options: IClientOptions, leave: (client: MqttClient) => Promise<unknown>) => {
    const client = await connect(same, { manualConnect: true, clean: false, ...options });
    const packet = next<IConnackPacket>(client, 'connack');
    client.connect();
    const { sessionPresent } = await packet;
    await leave(client);
    return sessionPresent;
  };
  const minute = { properties: { sessionExpiryInterval: 60 } };
  const politely = (client: MqttClient) => client.endAsync();
  expect(await present(minute, politely)).toBe(false);
  expect(await present(minute, politely)).toBe(true);
  nowMs += 61_000;
  expect(await present(minute, politely)).toBe(false);
  const forGood = (client: MqttClient) =>
    client.endAsync(false, { reasonCode: 0, properties: { sessionExpiryInterval: 0 } });
  expect(await present(minute, forGood)).toBe(true);
  expect(await present(minute, politely)).toBe(false);
  expect(await present({ ...minute, clean: true }, politely)).toBe(false);
  expect(await present(minute, politely)).toBe(true);
  // AWS: a session of MQTT 5 is none of MQTT 3.
  expect(await present({ protocolVersion: 4 }, politely)).toBe(false);
});

test('the client’s receive maximum and packet size are kept', async () => {
  const client = await connect(undefined, {
    properties: { receiveMaximum: 2, maximumPacketSize: 200 },
    manualConnect: true,
  });
  const held: (() => void)[] = [];
  client.handleMessage = (_packet, done) => void held.push(done);
  client.connect();
  await new Promise((resolve) => client.once('connect', resolve));
  await client.subscribeAsync('slow', { qos: 1 });
  const sender = await connect();
  await sender.publishAsync('slow', Buffer.alloc(300), { qos: 1 });
  let received = 0;
  client.on('packetreceive', ({ cmd }) => {
    if (cmd === 'publish') received++;
  });
  for (let n = 0; n < 5; n++) await sender.publishAsync('slow', String(n), { qos: 1 });
  await settle();
  expect(received).toBeLessThanOrEqual(2);
  while (received < 5) {
    await eventually(() => held.length > 0);
    held.shift()?.();
  }
  await settle();
  expect(received).toBe(5);
});

test('a will waits for its delay, and is not sent where the session goes on', async () => {
  const watcher = await connect();
  const inbox = listen(watcher);
  await watcher.subscribeAsync('wills/delayed');
  const same = await device();
  const options = {
    clean: false,
    properties: { sessionExpiryInterval: 60 },
    will: {
      topic: 'wills/delayed',
      payload: Buffer.from('gone'),
      qos: 1 as const,
      retain: false,
      properties: { willDelayInterval: 1 },
    },
  };
  (await connect(same, options)).stream.destroy();
  await settle();
  const back = await connect(same, options);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  expect(inbox.heard).toEqual([]);
  back.stream.destroy();
  await inbox.until(1);
  await closed(back);
});
