/** The local cloud as a process: its parts work together, what cannot start says why, nothing stays behind. */

import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateTopicRuleCommand, GetTopicRuleCommand } from '@aws-sdk/client-iot';
import { GetThingShadowCommand } from '@aws-sdk/client-iot-data-plane';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createCsr } from '../certs-scripts/csr.ts';
import { makeDeviceKey } from '../certs-scripts/device-key.ts';
import { revoke, rotate } from '../certs-scripts/rotate.ts';
import { freePorts } from '../local-fleet/processes/ports.ts';
import { beamCommand, until } from './beam.ts';
import {
  childrenOf,
  clients,
  connect,
  end,
  endAll,
  gone,
  launch,
  register,
  start,
  startBy,
} from './cloud-process.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'beam-local-cloud-'));
});
afterEach(async () => {
  await endAll();
  rmSync(folder, { recursive: true, force: true });
});

test('beam cloud --credentials-port is where the provider listens; with --aws-rates a client id that connects several times in a second is refused', async () => {
  const [port] = await freePorts(1);
  const { ready } = await startBy(
    [...beamCommand(), 'cloud'],
    folder,
    '--aws-rates',
    '--credentials-port',
    String(port),
  );
  expect(ready.credentialProvider).toBe(`localhost:${port}`);
  const { iot, data } = clients(ready);
  const device = await register(iot, 'b');
  // Without rates each of them connects, and the next one takes its place.
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => connect(ready, device)));
  expect(outcomes.map(({ status }) => status)).toContain('rejected');
  expect(outcomes.map(({ status }) => status)).toContain('fulfilled');
  for (const outcome of outcomes) if (outcome.status === 'fulfilled') await outcome.value.endAsync(true);
  iot.destroy();
  data.destroy();
});

test('rules, functions and devices work together, a certificate is rotated, and a revoked one cut', async () => {
  const { child, ready, startMs } = await start(folder);
  expect(startMs).toBeLessThan(5000);
  const { iot, data } = clients(ready);
  expect((await iot.send(new GetTopicRuleCommand({ ruleName: 'beam_health' }))).rule?.sql).toMatch(
    /FROM 'beam/,
  );
  const sql = "SELECT n AS state.reported.n FROM 'beam/demo/+/event/test' WHERE n > 1";
  const roleArn = 'arn:aws:iam::000000000000:role/none';
  const topic = '$$aws/things/demo_copy/shadow/name/status/update';
  const actions = [{ republish: { roleArn, topic, qos: 1 } }];
  const topicRulePayload = { sql, awsIotSqlVersion: '2016-03-23', actions };
  await iot.send(new CreateTopicRuleCommand({ ruleName: 'copy', topicRulePayload }));
  const device = await register(iot, 'b');
  const client = await connect(ready, device);
  for (const n of [1, 2]) {
    await client.publishAsync(`beam/demo/${device.thing}/event/test`, JSON.stringify({ n }), { qos: 1 });
  }
  const copied = { thingName: 'demo_copy', shadowName: 'status' };
  const shadow = async () => data.send(new GetThingShadowCommand(copied)).catch(() => undefined);
  const answer = await until('the rule has made the copy', shadow);
  expect(JSON.parse(Buffer.from(answer.payload ?? []).toString())).toMatchObject({
    state: { reported: { n: 2 } },
    version: 1,
  });

  const keyPem = makeDeviceKey();
  const registration = { fleet: 'demo', node: 'b', kind: 'validator', zone: 'a' } as const;
  const rotated = await rotate(iot, registration, await createCsr(keyPem, device.thing));
  expect(rotated.before).toEqual([device.certificateArn]);
  expect(client.connected).toBe(true);

  const { things } = await revoke(iot, device.certificateArn);
  expect(things).toEqual([device.thing]);
  await new Promise<void>((resolve) =>
    client.connected ? client.once('close', () => resolve()) : resolve(),
  );
  await expect(connect(ready, device)).rejects.toThrow();
  await (await connect(ready, { ...rotated, keyPem })).endAsync();

  const credentials = join(folder, 'cloud', 'credentials');
  for (const secret of ['ca-key.pem', 'server-key.pem', 'access-key.json']) {
    expect(statSync(join(credentials, secret)).mode & 0o777).toBe(0o600);
  }
  iot.destroy();
  data.destroy();
  const host = childrenOf(child.pid);
  expect(await end(child, 'SIGTERM')).toBe(0);
  expect(await gone(host)).toBe(true);
});

test('what cannot start says what is wrong and what to do', async () => {
  const fails = async (...more: string[]) => {
    const { child, errors } = launch(folder, ...more);
    await once(child, 'close');
    return `${child.exitCode} ${errors()}`;
  };
  const busy = createServer();
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
  const port = String((busy.address() as { port: number }).port);
  expect(await fails('--mqtt-port', port)).toMatch(
    new RegExp(`^1 (.*\\n)*local-cloud: MQTT: 127.0.0.1:${port} is taken by another process. .*--mqtt-port`),
  );
  expect(await fails('--https-port', port)).toMatch(/HTTPS: .* is taken by another process. .*--https-port/);
  busy.close();
  expect(await fails('--mqtt-port', '70000')).toMatch(/^2 local-cloud: --mqtt-port must be 0 to 65535/);
  expect(await fails('--nonsense')).toMatch(/^2 local-cloud: Unknown option '--nonsense'/);

  const rules = join(folder, 'rules-folder');
  mkdirSync(join(rules, 'rules'), { recursive: true });
  writeFileSync(join(rules, 'rules', 'bad.json'), '{"ruleName":"bad"}');
  expect(await fails('--rules', rules)).toMatch(/^1 (.*\n)*local-cloud: .*bad\.json is not as cloud-rules/);
  expect(await fails('--manifest', join(folder, 'none.json'))).toMatch(/^1 .*There is no file .*none\.json/);

  const { child } = await start(folder);
  expect(await fails()).toMatch(/^1 local-cloud: .*another process has it open/);
  await end(child, 'SIGTERM');
});
