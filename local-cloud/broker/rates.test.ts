import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { IoTDataPlaneClient, UpdateThingShadowCommand } from '@aws-sdk/client-iot-data-plane';
import { expect, test } from '@jest/globals';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { IClientOptions } from 'mqtt';
import { listen, openTestCloud, settle } from '../core-fixture.ts';
import { Bucket, Buckets } from './rates.ts';

test('a bucket holds a second’s worth and fills with time', () => {
  const bucket = new Bucket(10, 0);
  expect(Array.from({ length: 11 }, () => bucket.take(1, 0)).filter(Boolean)).toHaveLength(10);
  expect(bucket.take(1, 99)).toBe(false);
  expect(bucket.take(1, 100)).toBe(true);
  // A clock that goes back gives nothing, and does not hold up what comes.
  expect(bucket.take(1, 0)).toBe(false);
  expect(bucket.take(1, 100)).toBe(true);
  expect(bucket.overdraw(20, 100)).toBeGreaterThanOrEqual(2000);
  const names = new Buckets(1);
  expect([names.take('a', 0), names.take('a', 0), names.take('b', 0), names.take('a', 1000)]).toEqual([
    true,
    false,
    true,
    true,
  ]);
});

test('where AWS’s rates hold: connects of a client id, publishes of a connection, requests to a thing’s shadows', async () => {
  let nowMs = 1_700_000_000_000;
  const cloud = await openTestCloud({ hasRates: true, nowMs: () => nowMs });
  try {
    const device = await cloud.device('demo_fast');
    const options: IClientOptions = { protocolVersion: 5 };
    const client = await cloud.connect(device, options);
    await expect(cloud.connect(device, options)).rejects.toThrow(/quota/i);
    expect(client.connected).toBe(true);

    const watcher = await cloud.connect(await cloud.device('demo_watch'));
    const inbox = listen(watcher);
    await watcher.subscribeAsync('fast');
    const answers = await Promise.allSettled(
      Array.from({ length: 110 }, (_, n) => client.publishAsync('fast', String(n), { qos: 1 })),
    );
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(100);
    await settle();
    expect(inbox.heard).toHaveLength(100);

    nowMs += 10_000;
    const prefix = `$aws/things/${device.thing}/shadow/name/role/update`;
    const shadow = listen(client);
    await client.subscribeAsync([`${prefix}/accepted`, `${prefix}/rejected`]);
    const update = (n: number) => JSON.stringify({ state: { reported: { n } }, clientToken: String(n) });
    for (let n = 0; n < 22; n++) await client.publishAsync(prefix, update(n), { qos: 1 });
    await shadow.until(22);
    const rejected = shadow.heard.filter(({ topic }) => topic.endsWith('/rejected'));
    expect(rejected.map(({ text }) => JSON.parse(text) as unknown)).toEqual(
      [20, 21].map((n) => expect.objectContaining({ code: 429, clientToken: String(n) })),
    );
    nowMs += 10_000;
    const key = { thing: device.thing, shadow: 'role' };
    const over = await Promise.all(
      Array.from({ length: 21 }, () =>
        cloud.core.shadows.request(key, 'get', Buffer.alloc(0), { via: 'https' }),
      ),
    );
    expect(over.filter(({ payload }) => payload.code === 429)).toHaveLength(1);

    nowMs += 10_000;
    shadow.heard.length = 0;
    // 11 at once: ten are in flight, one is too many.
    await Promise.all(
      Array.from({ length: 11 }, (_, n) => client.publishAsync(prefix, update(n), { qos: 1 })),
    );
    await shadow.until(11);
    expect(shadow.heard.filter(({ topic }) => topic.endsWith('/rejected'))).toHaveLength(1);
  } finally {
    await cloud.close();
  }
});

test('where AWS’s rates hold: bytes of a connection are read later, an HTTPS request to a shadow is refused with 429', async () => {
  const cloud = await openTestCloud({ hasRates: true });
  try {
    const client = await cloud.connect(await cloud.device('demo_bytes'));
    const publish = () => client.publishAsync('bytes', 'x'.repeat(120 * 1024), { qos: 1 });
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 9 }, publish));
    // 1,080 KB: 512 at once, and as many a second; the last message is read when the rest was paid for.
    expect(performance.now() - startedAt).toBeGreaterThan(700);

    const { ready } = cloud;
    const data = new IoTDataPlaneClient({
      endpoint: ready.https,
      region: ready.region,
      credentials: ready,
      maxAttempts: 1,
      requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: readFileSync(ready.ca) }) }),
    });
    const payload = JSON.stringify({ state: { reported: { n: 1 } } });
    const answers = await Promise.allSettled(
      Array.from({ length: 40 }, () =>
        data.send(new UpdateThingShadowCommand({ thingName: 'demo_bytes', shadowName: 'status', payload })),
      ),
    );
    const refused = answers.flatMap((answer) =>
      answer.status === 'rejected' ? [answer.reason as Error] : [],
    );
    expect(40 - refused.length).toBeGreaterThanOrEqual(20);
    expect(refused[0]).toMatchObject({ name: 'ThrottlingException', $metadata: { httpStatusCode: 429 } });
    data.destroy();
  } finally {
    await cloud.close();
  }
});
