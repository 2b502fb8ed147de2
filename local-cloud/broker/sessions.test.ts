import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { IClientOptions, MqttClient } from 'mqtt';
import { type Device, eventually, listen, openTestCloud, settle, type TestCloud } from '../core-fixture.ts';
import { arn } from '../registry/arns.ts';

let folder = '';
let nowMs = 1_700_000_000_000;
let cloud: TestCloud;
const open = () => openTestCloud({ dataDir: folder, nowMs: () => nowMs });
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'beam-sessions-'));
  cloud = await open();
});
afterEach(async () => {
  await cloud.close();
  rmSync(folder, { recursive: true, force: true });
});

async function restart(): Promise<void> {
  await cloud.close();
  cloud = await open();
}

/** A client that listens before its session's messages can come. @param holds whether it acknowledges nothing */
async function resume(device: Device, options: IClientOptions = {}, holds = false) {
  const client = await cloud.connect(device, { clean: false, manualConnect: true, ...options });
  const inbox = listen(client);
  let isPresent: boolean | undefined;
  client.on('connect', ({ sessionPresent }) => {
    isPresent = sessionPresent;
  });
  if (holds) client.handleMessage = () => undefined;
  client.connect();
  await eventually(() => isPresent !== undefined);
  return { client, inbox, isPresent };
}

/** Without a goodbye; the broker has seen it. */
async function leave(client: MqttClient): Promise<void> {
  await client.endAsync(true);
  await eventually(() => !cloud.core.broker.connectedClients().includes(client.options.clientId ?? ''));
}

test.each([4, 5] as const)(
  'a session of level %i and what waits for it outlive the cloud’s process, in its order',
  async (protocolVersion) => {
    const options: IClientOptions = {
      protocolVersion,
      ...(protocolVersion === 5 ? { properties: { sessionExpiryInterval: 600 } } : {}),
    };
    const receiver = await cloud.device('demo_keeps');
    const sender = await cloud.device('demo_sends');
    const first = await resume(receiver, options, true);
    expect(first.isPresent).toBe(false);
    await first.client.subscribeAsync(['kept/+', 'kept/exact'], { qos: 1 });
    const publisher = await cloud.connect(sender, { protocolVersion: 5 });
    // One is sent and not acknowledged; the others wait for the client.
    await publisher.publishAsync('kept/a', 'sent', { qos: 1 });
    await first.inbox.until(1);
    await leave(first.client);
    const properties = { userProperties: { a: 'b' }, correlationData: Buffer.from([7]) };
    await publisher.publishAsync('kept/b', Buffer.from([0, 255, 10]), { qos: 1, properties });
    await publisher.publishAsync('kept/c', 'third', { qos: 1 });
    await publisher.publishAsync('kept/c', 'at QoS 0', { qos: 0 });
    await restart();

    const second = await resume(receiver, options);
    expect(second.isPresent).toBe(true);
    const packets: unknown[] = [];
    second.client.on('message', (_topic, _payload, packet) => packets.push(packet.properties));
    await second.inbox.until(3);
    expect(second.inbox.heard.map(({ topic, dup }) => [topic, dup])).toEqual([
      ['kept/a', false],
      ['kept/b', false],
      ['kept/c', false],
    ]);
    expect(second.inbox.texts()[2]).toBe('third');
    // Its subscriptions hold on.
    const again = await cloud.connect(sender);
    await again.publishAsync('kept/d', 'live', { qos: 1 });
    await second.inbox.until(4);
    await leave(second.client);
    await restart();
    const third = await resume(receiver, options);
    await settle();
    expect(third.isPresent).toBe(true);
    // Acknowledged is over.
    expect(third.inbox.heard).toEqual([]);
  },
);

test('a session’s time runs on while the process is away, and a clean start leaves nothing behind', async () => {
  const device = await cloud.device('demo_gone');
  const other = await cloud.device('demo_clean');
  for (const each of [device, other]) {
    const { client } = await resume(each);
    await client.subscribeAsync('for/all', { qos: 1 });
    await leave(client);
  }
  const sender = await cloud.device('demo_sender');
  await (await cloud.connect(sender)).publishAsync('for/all', 'x', { qos: 1 });
  await (await cloud.connect(other, { clean: true })).endAsync();
  await restart();
  expect(await resume(other)).toMatchObject({ isPresent: false });
  nowMs += 3_600_001;
  await restart();
  const { isPresent, inbox } = await resume(device);
  await settle();
  expect(isPresent).toBe(false);
  expect(inbox.heard).toEqual([]);
});

test('a session’s queue is bounded: what is over it is dropped, and said once', async () => {
  const device = await cloud.device('demo_full');
  const { client } = await resume(device);
  await client.subscribeAsync('fill', { qos: 1 });
  await leave(client);
  await Promise.all(
    Array.from({ length: 1010 }, (_, n) =>
      cloud.core.broker.publish('fill', Buffer.from(String(n)), { qos: 1 }),
    ),
  );
  const { inbox } = await resume(device);
  await inbox.until(1000);
  await settle();
  expect(inbox.texts()).toEqual(Array.from({ length: 1000 }, (_, n) => String(n)));
  expect(cloud.log.filter(({ msg }) => msg.startsWith('the queue of a session is full'))).toHaveLength(1);
});

test('of a shared subscription one member gets each message, and an absent one keeps it', async () => {
  const share = '$share/workers/jobs/#';
  const names = ['demo_one', 'demo_two'];
  const workers = await Promise.all(names.map(async (name) => resume(await cloud.device(name))));
  for (const { client } of workers) await client.subscribeAsync(share, { qos: 1 });
  const plain = await cloud.connect(await cloud.device('demo_plain'));
  const all = listen(plain);
  await plain.subscribeAsync('jobs/#', { qos: 1 });
  const publish = (from: number) =>
    Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        cloud.core.broker.publish('jobs/x', Buffer.from(String(from + n)), { qos: 1 }),
      ),
    );
  await publish(0);
  await all.until(40);
  const counts = () => workers.map(({ inbox }) => inbox.heard.length);
  await eventually(() => counts().reduce((sum, count) => sum + count, 0) === 40);
  for (const count of counts()) expect(count).toBeGreaterThan(0);
  const [first, second] = workers;
  if (!first || !second) throw new Error('there are two');
  await leave(first.client);
  await publish(100);
  await eventually(() => second.inbox.heard.length + first.inbox.heard.length === 80);
  await leave(second.client);
  await publish(200);
  const back = [await resume(await cloud.device('demo_one')), await resume(await cloud.device('demo_two'))];
  // QoS 1: what a client left without its acknowledgement comes again.
  const kept = () =>
    new Set(back.flatMap(({ inbox }) => inbox.texts()).filter((text) => Number(text) >= 200));
  await eventually(() => kept().size === 40);
});

test('a will that waits for its delay outlives the process, is sent when its time is over, and with the rights of that moment', async () => {
  const watcher = await cloud.device('demo_watches');
  const retainedOn = async (topic: string): Promise<string[]> => {
    const client = await cloud.connect(watcher);
    const inbox = listen(client);
    await client.subscribeAsync(topic);
    await settle();
    await client.endAsync(true);
    return inbox.texts();
  };
  const devices = [await cloud.device('demo_gone'), await cloud.device('demo_revoked')];
  for (const device of devices) {
    const client = await cloud.connect(device, {
      protocolVersion: 5,
      clean: false,
      properties: { sessionExpiryInterval: 600 },
      will: {
        topic: `wills/${device.thing}`,
        payload: Buffer.from('gone'),
        qos: 1,
        retain: true,
        properties: { willDelayInterval: 30 },
      },
    });
    await leave(client);
  }
  const revoked = devices[1]?.certificateId ?? '';
  await cloud.core.registry.policies.detach('all', arn('cert', revoked));
  await restart();
  expect(await retainedOn('wills/demo_gone')).toEqual([]);
  nowMs += 31_000;
  await restart();
  await eventually(() => [...cloud.core.store.wills.values()].length === 0);
  expect(await retainedOn('wills/demo_gone')).toEqual(['gone']);
  expect(await retainedOn('wills/demo_revoked')).toEqual([]);
});
