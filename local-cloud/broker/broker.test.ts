import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { closed, type Device, listen, openTestCloud, settle, type TestCloud } from '../core-fixture.ts';

let cloud: TestCloud;
let count = 0;
/** A thing's name that no other test uses. */
const fresh = () => `demo_node-${++count}`;

beforeAll(async () => {
  cloud = await openTestCloud();
});
afterAll(async () => {
  await cloud.close();
});

describe.each([4, 5] as const)('MQTT protocol level %i', (protocolVersion) => {
  const connect = (device: Device, options = {}) => cloud.connect(device, { protocolVersion, ...options });

  test('what is published arrives, at either QoS, in its order', async () => {
    const client = await connect(await cloud.device(fresh()));
    const inbox = listen(client);
    await client.subscribeAsync('echo/+', { qos: 1 });
    for (let n = 0; n < 20; n++) await client.publishAsync('echo/x', String(n), { qos: n % 2 === 0 ? 0 : 1 });
    await inbox.until(20);
    expect(inbox.texts()).toEqual(Array.from({ length: 20 }, (_, n) => String(n)));
    expect(inbox.heard.map(({ qos }) => qos)).toEqual(Array.from({ length: 20 }, (_, n) => n % 2));
  });

  test('a/# does not match a', async () => {
    const client = await connect(await cloud.device(fresh()));
    const inbox = listen(client);
    await client.subscribeAsync('tree/#');
    await client.publishAsync('tree', 'root', { qos: 1 });
    await client.publishAsync('tree/leaf', 'leaf', { qos: 1 });
    await inbox.until(1);
    await settle();
    expect(inbox.texts()).toEqual(['leaf']);
  });

  test('overlapping subscriptions bring a message once', async () => {
    const client = await connect(await cloud.device(fresh()));
    const inbox = listen(client);
    await client.subscribeAsync(['over/a', 'over/+', 'over/#'], { qos: 1 });
    await client.publishAsync('over/a', 'once', { qos: 1 });
    await inbox.until(1);
    await settle();
    expect(inbox.texts()).toEqual(['once']);
  });

  test('a retained message goes to an exact subscription, not to a wildcard', async () => {
    const client = await connect(await cloud.device(fresh()));
    const topic = `kept/${protocolVersion}`;
    await client.publishAsync(topic, 'kept', { qos: 1, retain: true });
    const inbox = listen(client);
    await client.subscribeAsync('kept/#', { qos: 1 });
    await settle();
    expect(inbox.heard).toEqual([]);
    await client.unsubscribeAsync('kept/#');
    await client.subscribeAsync(topic, { qos: 1 });
    const [message] = await inbox.until(1);
    expect(message).toMatchObject({ topic, text: 'kept', retain: true });
    await client.publishAsync(topic, '', { qos: 1, retain: true });
    const other = await connect(await cloud.device(fresh()));
    const later = listen(other);
    await other.subscribeAsync(topic, { qos: 1 });
    await settle();
    expect(later.heard).toEqual([]);
  });

  test('QoS 2 is refused: neither a SUBSCRIBE nor a PUBLISH is acknowledged, and either ends the connection', async () => {
    const device = await cloud.device(fresh());
    const first = await connect(device);
    const received: string[] = [];
    first.on('packetreceive', ({ cmd }) => received.push(cmd));
    first.subscribe('two', { qos: 2 }, () => undefined);
    await closed(first);
    expect(received).not.toContain('suback');
    const second = await connect(device);
    second.publish('two', 'x', { qos: 2 }, () => undefined);
    await closed(second);
    expect(refusals(device)).toEqual([
      expect.objectContaining({ act: 'subscribe', why: 'QoS 2 is not supported' }),
      expect.objectContaining({ act: 'publish', why: 'QoS 2 is not supported' }),
    ]);
  });

  test.each([
    ['a payload over 128 KB', 'big', Buffer.alloc(128 * 1024 + 1), /131073 bytes/],
    ['more than 7 slashes', 'a/b/c/d/e/f/g/h/i', Buffer.from('x'), /slashes/],
    ['a topic that is reserved', '$aws/events/presence/connected/x', Buffer.from('x'), /reserved/],
    ['a shadow answer', '$aws/things/x/shadow/update/accepted', Buffer.from('x'), /reserved/],
  ])('%s ends the connection', async (_name, topic, payload, why) => {
    const device = await cloud.device(fresh());
    const client = await connect(device);
    client.publish(topic, payload, { qos: 1 }, () => undefined);
    await closed(client);
    expect(refusals(device)).toEqual([expect.objectContaining({ why: expect.stringMatching(why) })]);
  });

  test('a payload of 128 KB goes through', async () => {
    const client = await connect(await cloud.device(fresh()));
    const inbox = listen(client);
    await client.subscribeAsync('full');
    await client.publishAsync('full', Buffer.alloc(128 * 1024, 'x'), { qos: 1 });
    expect((await inbox.until(1))[0]?.text.length).toBe(128 * 1024);
  });

  test('a SUBSCRIBE has 8 filters, a connection 50 subscriptions', async () => {
    const filters = (from: number, n: number) => Array.from({ length: n }, (_, i) => `f/${from + i}`);
    const client = await connect(await cloud.device(fresh()));
    for (let from = 0; from < 48; from += 8) await client.subscribeAsync(filters(from, 8));
    await client.subscribeAsync(filters(48, 2));
    const [grant] = await client.subscribeAsync('one/more').catch(() => []);
    expect(grant?.qos ?? 128).toBeGreaterThanOrEqual(0x80);
    await client.unsubscribeAsync('f/0');
    expect(await client.subscribeAsync('one/more')).toMatchObject([{ qos: 0 }]);
    client.subscribe(filters(100, 9), () => undefined);
    await closed(client);
  });

  test('the later connection of a client id wins; the first one’s will is sent', async () => {
    const device = await cloud.device(fresh());
    const watcher = await connect(await cloud.device(fresh()));
    const inbox = listen(watcher);
    await watcher.subscribeAsync(['wills/#', `$aws/events/presence/+/${device.thing}`], { qos: 1 });
    const will = {
      topic: `wills/${device.thing}`,
      payload: Buffer.from('gone'),
      qos: 1 as const,
      retain: false,
    };
    const first = await connect(device, { will });
    const second = await connect(device);
    await closed(first);
    await inbox.until(4);
    const events = inbox.heard
      .filter(({ topic }) => topic.startsWith('$aws'))
      .map(({ text }) => JSON.parse(text) as Record<string, unknown>);
    expect(events.map(({ eventType, versionNumber }) => [eventType, versionNumber])).toEqual([
      ['connected', 0],
      ['disconnected', 0],
      ['connected', 1],
    ]);
    expect(events[1]).toMatchObject({
      clientId: device.thing,
      principalIdentifier: device.certificateId,
      sessionIdentifier: events[0]?.sessionIdentifier,
      clientInitiatedDisconnect: false,
      disconnectReason: 'DUPLICATE_CLIENTID',
    });
    expect(inbox.heard.find(({ topic }) => topic === will.topic)?.text).toBe('gone');
    expect(second.connected).toBe(true);
  });

  test('presence tells a goodbye from a lost connection; only the latter sends the will', async () => {
    const device = await cloud.device(fresh());
    const watcher = await connect(await cloud.device(fresh()));
    const inbox = listen(watcher);
    await watcher.subscribeAsync(['wills/#', `$aws/events/presence/disconnected/${device.thing}`], {
      qos: 1,
    });
    const will = {
      topic: `wills/${device.thing}`,
      payload: Buffer.from('gone'),
      qos: 0 as const,
      retain: false,
    };
    const polite = await connect(device, { will });
    await polite.endAsync();
    await inbox.until(1);
    const lost = await connect(device, { will });
    lost.stream.destroy();
    await inbox.until(3);
    const reasons = inbox.heard
      .filter(({ topic }) => topic.startsWith('$aws'))
      .map(({ text }) => JSON.parse(text) as Record<string, unknown>)
      .map(({ disconnectReason, clientInitiatedDisconnect }) => [
        disconnectReason,
        clientInitiatedDisconnect,
      ]);
    expect(reasons).toEqual([
      ['CLIENT_INITIATED_DISCONNECT', true],
      ['CONNECTION_LOST', false],
    ]);
    expect(inbox.heard.filter(({ topic }) => topic.startsWith('wills'))).toHaveLength(1);
  });

  test('a persistent session gets what came while its client was away, in its order', async () => {
    const device = await cloud.device(fresh());
    const topic = `queue/${device.thing}`;
    const session =
      protocolVersion === 5
        ? { clean: false, properties: { sessionExpiryInterval: 3600 } }
        : { clean: false };
    const first = await connect(device, session);
    await first.subscribeAsync(topic, { qos: 1 });
    await first.endAsync();
    const sender = await connect(await cloud.device(fresh()));
    await sender.publishAsync(topic, 'one', { qos: 1 });
    await sender.publishAsync(topic, 'lost', { qos: 0 });
    await sender.publishAsync(topic, 'two', { qos: 1 });
    const second = await connect(device, { ...session, manualConnect: true });
    const inbox = listen(second);
    second.connect();
    await inbox.until(2);
    expect(inbox.texts()).toEqual(['one', 'two']);
    await sender.publishAsync(topic, 'three', { qos: 1 });
    await inbox.until(3);
    expect(inbox.texts()).toEqual(['one', 'two', 'three']);
  });
});

/** What was refused to a device, without the time. */
function refusals({ certificateId }: Device) {
  return cloud.log
    .filter(({ msg, principalId }) => msg === 'refused' && principalId === certificateId)
    .map(({ act, name, why }) => ({ act, name, why }));
}

test('a message of MQTT 5 keeps its properties for a client of MQTT 5', async () => {
  const client = await cloud.connect(await cloud.device(fresh()), { protocolVersion: 5 });
  await client.subscribeAsync('props');
  const properties = new Promise((resolve) => {
    client.on('message', (_topic, _payload, packet) => resolve(packet.properties?.userProperties));
  });
  await client.publishAsync('props', 'x', { properties: { userProperties: { a: 'b' } } });
  expect(await properties).toEqual({ a: 'b' });
});

test('messages of many publishers at either QoS all arrive once', async () => {
  const receiver = await cloud.connect(await cloud.device(fresh()), { protocolVersion: 4, clean: false });
  const inbox = listen(receiver);
  await receiver.subscribeAsync('many/#', { qos: 1 });
  const senders = await Promise.all(
    [0, 1, 2, 3].map(async () => cloud.connect(await cloud.device(fresh()), { protocolVersion: 4 })),
  );
  await Promise.all(
    senders.flatMap((sender, s) =>
      Array.from({ length: 100 }, (_, n) =>
        sender.publishAsync(`many/${s}`, `${s}-${n}`, { qos: n % 2 === 0 ? 0 : 1 }),
      ),
    ),
  );
  await inbox.until(400);
  await settle();
  expect(new Set(inbox.texts()).size).toBe(400);
  expect(inbox.heard).toHaveLength(400);
});

test('a client that does not read holds up nobody', async () => {
  const stuck = await cloud.connect(await cloud.device(fresh()));
  await stuck.subscribeAsync('flood');
  const reader = await cloud.connect(await cloud.device(fresh()));
  const inbox = listen(reader);
  await reader.subscribeAsync('flood');
  stuck.stream.pause();
  const sender = await cloud.connect(await cloud.device(fresh()));
  const chunk = Buffer.alloc(100_000, 'x');
  for (let n = 0; n < 60; n++) await sender.publishAsync('flood', chunk, { qos: 1 });
  await inbox.until(60);
  stuck.stream.resume();
});

test('the internal hook sees every message with its sender, Basic Ingest alone nobody else', async () => {
  const device = await cloud.device(fresh());
  const seen: { topic: string; text: string; clientId: string | undefined }[] = [];
  cloud.core.broker.onMessage((topic, payload, { clientId, principalId }) => {
    if (clientId === device.thing) expect(principalId).toBe(device.certificateId);
    seen.push({ topic, text: payload().toString(), clientId });
  });
  const client = await cloud.connect(device);
  const inbox = listen(client);
  await client.subscribeAsync(['plain/#', '$aws/rules/#', `$aws/things/${device.thing}/shadow/#`]);
  await client.publishAsync('plain/x', 'p', { qos: 1 });
  await client.publishAsync('$aws/rules/my_rule/plain/x', 'b', { qos: 1 });
  await client.publishAsync(`$aws/things/${device.thing}/shadow/update`, '{"state":{"reported":{"a":1}}}', {
    qos: 1,
  });
  await cloud.core.broker.publish('plain/y', Buffer.from('internal'), { qos: 1 });
  await inbox.until(4);
  await settle();
  expect(inbox.heard.map(({ topic }) => topic)).not.toContain('$aws/rules/my_rule/plain/x');
  const topics = seen.map(({ topic }) => topic);
  for (const topic of [
    `$aws/events/presence/connected/${device.thing}`,
    'plain/x',
    'plain/y',
    '$aws/rules/my_rule/plain/x',
    `$aws/things/${device.thing}/shadow/update`,
    `$aws/things/${device.thing}/shadow/update/accepted`,
    `$aws/things/${device.thing}/shadow/update/documents`,
  ]) {
    expect(topics).toContain(topic);
  }
  expect(seen.find(({ topic }) => topic === 'plain/y')?.clientId).toBeUndefined();
});

test('shadow answers come at QoS 0; a will to a shadow changes nothing', async () => {
  const device = await cloud.device(fresh());
  const prefix = `$aws/things/${device.thing}/shadow/name/role`;
  const client = await cloud.connect(device, {
    will: {
      topic: `${prefix}/update`,
      payload: Buffer.from('{"state":{"reported":{"up":false}}}'),
      qos: 1,
      retain: false,
    },
  });
  const inbox = listen(client);
  await client.subscribeAsync([`${prefix}/update/+`, `${prefix}/get/+`], { qos: 1 });
  await client.publishAsync(`${prefix}/update`, '{"state":{"reported":{"up":true}},"clientToken":"k"}', {
    qos: 1,
  });
  await inbox.until(2);
  expect(inbox.heard.map(({ topic, qos }) => [topic, qos])).toEqual([
    [`${prefix}/update/accepted`, 0],
    [`${prefix}/update/documents`, 0],
  ]);
  client.stream.destroy();
  await settle();
  expect(cloud.core.shadows.read({ thing: device.thing, shadow: 'role' })).toMatchObject({
    state: { reported: { up: true } },
    version: 1,
  });
});

test('updates of one shadow at once are answered in their order, one version each', async () => {
  const device = await cloud.device(fresh());
  const prefix = `$aws/things/${device.thing}/shadow`;
  const client = await cloud.connect(device);
  const inbox = listen(client);
  await client.subscribeAsync(`${prefix}/update/accepted`);
  const updates = Array.from({ length: 50 }, (_, n) => JSON.stringify({ state: { reported: { n } } }));
  await Promise.all(updates.map((update) => client.publishAsync(`${prefix}/update`, update, { qos: 1 })));
  await inbox.until(50);
  const answers = inbox
    .texts()
    .map((text) => JSON.parse(text) as { version: number; state: { reported: { n: number } } });
  expect(answers.map(({ version }) => version)).toEqual(updates.map((_, n) => n + 1));
  expect(answers.map(({ state }) => state.reported.n)).toEqual(updates.map((_, n) => n));
});

test('client ids that AWS does not take are refused', async () => {
  const device = await cloud.device(fresh());
  for (const clientId of ['$aws', 'x'.repeat(129), 'a\u0001b']) {
    await expect(cloud.connect(device, { clientId })).rejects.toThrow();
  }
  expect(refusals(device)).toHaveLength(3);
  for (const clientId of ['__proto__', 'constructor', 'a b/c']) {
    const client = await cloud.connect(device, { clientId, clean: false });
    await client.subscribeAsync('toString', { qos: 1 });
  }
});
