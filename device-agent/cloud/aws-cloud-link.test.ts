/** The AWS SDK's client against a broker with mutual TLS: how it connects, is refused, and comes back. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import { type Device, eventually, openTestCloud, type TestCloud } from '../../local-cloud/core-fixture.ts';
import { arn } from '../../local-cloud/registry/arns.ts';
import { AwsCloudLink } from './aws-cloud-link.ts';

jest.setTimeout(40_000);
const waitMs = 15_000;
let cloud: TestCloud;
const links: AwsCloudLink[] = [];

beforeAll(async () => {
  cloud = await openTestCloud();
});
afterEach(async () => {
  for (const link of links.splice(0)) await link.stop();
});
afterAll(async () => {
  await cloud.close();
  // The SDK's native client holds the process up until its wrapper is collected: some 20 s otherwise.
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
});

function connect(device: Device, over: { clientId?: string; endpoint?: string; ca?: string } = {}) {
  const seen = { connects: 0, reasons: [] as string[], messages: [] as string[] };
  const link = new AwsCloudLink(
    {
      endpoint: cloud.ready.mqtt,
      clientId: device.thing,
      certificate: device.certificatePem,
      key: device.keyPem,
      ca: cloud.caPem,
      subscriptions: Array.from({ length: 11 }, (_, index) => ({
        filter: `to/${device.thing}/${index}`,
        qos: 1,
      })),
      log: pino({ level: 'silent' }),
      replaceTimeoutMs: 2_000,
      ...over,
    },
    {
      onConnected: () => {
        seen.connects += 1;
      },
      onDisconnected: (reason) => seen.reasons.push(reason),
      onMessage: (topic, payload) => seen.messages.push(`${topic}: ${Buffer.from(payload)}`),
    },
  );
  links.push(link);
  link.start();
  return { link, seen };
}

test('connected means subscribed, with more filters than one SUBSCRIBE takes; a publish is acknowledged', async () => {
  const { link, seen } = connect(await cloud.device('demo_a'));
  await expect(link.publish('x', '1')).rejects.toThrow(/not connected/);
  await eventually(() => seen.connects === 1, waitMs);
  await cloud.core.broker.publish('to/demo_a/10', Buffer.from('hello'), { qos: 1 });
  await eventually(() => seen.messages.length === 1, waitMs);
  expect(seen.messages).toEqual(['to/demo_a/10: hello']);
  await link.publish('from/demo_a', '{}');
});

test('a broker that is not there yet, and one that was there before, are connected to', async () => {
  const own = await openTestCloud();
  const device = await own.device('demo_b');
  const { dataDir, port, caPem } = own;
  const { link, seen } = connect(device, { endpoint: own.ready.mqtt, ca: caPem });
  await eventually(() => seen.connects === 1, waitMs);
  await own.core.close();
  await eventually(() => !link.connected, waitMs);
  await expect(link.publish('x', '1')).rejects.toThrow();
  const again = await openTestCloud({ dataDir, mqttPort: port });
  await eventually(() => seen.connects === 2, waitMs);
  await link.stop();
  await again.close();
});

test('a certificate of another cloud, and a foreign client id, are refused with the remedy', async () => {
  const other = await openTestCloud();
  const foreign = connect(await other.device('demo_c'));
  const pretender = connect(await cloud.device('demo_d', []), { clientId: 'demo_a' });
  await eventually(() => foreign.seen.reasons.length > 0 && pretender.seen.reasons.length > 0, waitMs);
  expect(foreign.seen.reasons[0]).toMatch(/is this certificate registered and active there/);
  expect(pretender.seen.reasons[0]).toMatch(/certificate/);
  expect(foreign.seen.connects + pretender.seen.connects).toBe(0);
  for (const link of links.splice(0)) await link.stop();
  await other.close();
});

test('a further certificate takes over the connection: no message is lost, and one that does not work changes nothing', async () => {
  const device = await cloud.device('demo_e');
  const { things, policies, certificates } = cloud.core.registry;
  const { record, privateKeyPem } = await certificates.createWithKeys(true);
  await things.attach('demo_e', record.certificateId);
  await policies.attach('all', arn('cert', record.certificateId));
  const received = new Map<string, string>();
  cloud.core.broker.onMessage((topic, payload, { principalId = '' }) => {
    if (topic === 'from/demo_e') received.set(payload().toString(), principalId);
  });
  const { link, seen } = connect(device);
  await eventually(() => seen.connects === 1, waitMs);

  const other = await openTestCloud();
  const stranger = await other.device('demo_e');
  await expect(
    link.replace({ certificate: stranger.certificatePem, key: stranger.keyPem, ca: cloud.caPem }),
  ).rejects.toThrow(/new certificate/);
  await other.close();
  expect([link.connected, seen.connects, seen.reasons]).toEqual([true, 1, []]);

  let sent = 0;
  let isDone = false;
  const sending = (async () => {
    // As the pilot's queue does: what was not acknowledged is sent again.
    for (; !isDone; sent++) {
      while (
        !(await link.publish('from/demo_e', String(sent)).then(
          () => true,
          () => new Promise((resolve) => setTimeout(() => resolve(false), 20)),
        ))
      );
    }
  })();
  await link.replace({ certificate: record.pem, key: privateKeyPem, ca: cloud.caPem });
  expect([link.connected, seen.reasons]).toEqual([true, []]);
  await certificates.update(device.certificateId, 'REVOKED');
  const atSwitch = sent;
  await eventually(() => sent > atSwitch + 20, waitMs);
  isDone = true;
  await sending;
  expect([...received.keys()].map(Number)).toEqual(Array.from({ length: sent }, (_, index) => index));
  expect([...new Set(received.values())]).toEqual([device.certificateId, record.certificateId]);
  expect(link.connected).toBe(true);
});
