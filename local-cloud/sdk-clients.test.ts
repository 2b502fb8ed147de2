import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openTestCloud, type TestCloud } from './core-fixture.ts';

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await openTestCloud();
});
afterAll(async () => {
  await cloud.close();
});

/** Runs sdk-session.js. @returns what it found, by name */
async function session(thing: string): Promise<{ code: number | null; found: Record<string, unknown> }> {
  const device = await cloud.device(thing);
  const script = fileURLToPath(new URL('./sdk-session.js', import.meta.url));
  const { port, ready } = cloud;
  const child = spawn(
    process.execPath,
    [
      ...[script, String(port), ready.ca, device.certificatePath, device.keyPath, thing],
      ...[new URL(ready.https).port, ready.accessKeyId, ready.secretAccessKey],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const lines = output.trim().split('\n');
  const found = lines.map((line) => JSON.parse(line) as { name: string; value: unknown });
  return { code, found: Object.fromEntries(found.map(({ name, value }) => [name, value])) };
}

test("AWS's own clients connect, publish, subscribe and use shadows, with MQTT 3.1.1 and with MQTT 5, by certificate and by WebSocket", async () => {
  const { code, found } = await session('demo_sdk');
  const shadow = (name: string) => ({
    [`${name}-get-missing`]: { code: 404, message: `No shadow exists with name: 'demo_sdk~sdk-${name}'` },
    [`${name}-update`]: { version: 1, state: { desired: { a: 1 }, reported: { a: 0 } } },
    [`${name}-delta`]: { a: 1 },
    [`${name}-get`]: { state: { desired: { a: 1 }, reported: { a: 0 }, delta: { a: 1 } }, version: 1 },
    [`${name}-delete`]: 1,
  });
  expect(found).toEqual({
    '311-session-present': false,
    '311-echo': '{"n":1}',
    ...shadow('311'),
    '5-settings': {
      sharedSubscriptionsAvailable: true,
      maximumPacketSizeToServer: 149_504,
      receiveMaximumFromServer: 100,
    },
    '5-echo': { payload: '{"n":5}', userProperties: [{ name: 'a', value: 'b' }] },
    ...shadow('5'),
    'ws-311-echo': 'by WebSocket',
    'ws-5-echo': 'by WebSocket',
  });
  expect(code).toBe(0);
}, 30_000);
