/** The local cloud's data folder with real processes: a full disk, and a check and a backup of a cloud that runs. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  GetThingShadowCommand,
  type IoTDataPlaneClient,
  UpdateThingShadowCommand,
} from '@aws-sdk/client-iot-data-plane';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { findReadyLine, type ReadyLine } from '../local-fleet/ready-line.ts';
import { beam, beamCommand, until } from './beam.ts';
import { clients } from './cloud-process.ts';

let folder = '';
let data = '';
let child: ChildProcess | undefined;
let errors = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'beam-cloud-data-'));
  data = join(folder, 'cloud');
});
afterEach(async () => {
  await kill();
  rmSync(folder, { recursive: true, force: true });
});

async function kill(): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** No file of the cloud's may be written beyond so many bytes: its writes fail as on a full disk. */
function limitFiles(limit: 'unlimited' | number): void {
  execFileSync('prlimit', ['--pid', String(child?.pid), `--fsize=${limit}:unlimited`]);
}

async function start(): Promise<ReadyLine> {
  const command = [
    ...beamCommand(),
    'cloud',
    '--data',
    data,
    '--mqtt-port',
    '0',
    '--https-port',
    '0',
    '--json',
  ];
  const started = spawn('bash', ['-c', `trap '' XFSZ; exec "$@"`, 'cloud', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = started;
  let output = '';
  errors = '';
  started.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  started.stderr.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  return until('the cloud is ready', () => findReadyLine(output), 60_000);
}

const thingName = 'demo_full';
const text = (payload: Uint8Array | undefined) => Buffer.from(payload ?? []).toString();

/** Writes to one shadow after the other until one is refused. @returns versions that were acknowledged, by shadow */
async function fill(client: IoTDataPlaneClient): Promise<Map<string, number>> {
  const acknowledged = new Map<string, number>();
  for (let n = 0; ; n++) {
    const shadowName = `s${n}`;
    const payload = JSON.stringify({ state: { reported: { filler: 'x'.repeat(7000) } } });
    try {
      await client.send(new UpdateThingShadowCommand({ thingName, shadowName, payload }));
      acknowledged.set(shadowName, 1);
    } catch (error) {
      expect(error).toMatchObject({ name: 'InternalFailureException' });
      return acknowledged;
    }
  }
}

test('a full disk refuses writes by name, loses nothing acknowledged, and the cloud goes on when there is room', async () => {
  const ready = await start();
  const { iot, data: shadows } = clients(ready);
  const dynamo = new DynamoDBClient({
    endpoint: ready.https,
    region: 'local',
    credentials: ready,
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: readFileSync(ready.ca) }) }),
  });
  const item = (n: number) =>
    new PutItemCommand({
      TableName: 'beam-fleet',
      Item: { fleet: { S: 'full' }, item: { S: String(n) }, filler: { S: 'x'.repeat(50_000) } },
    });
  limitFiles(200 * 1024);
  const acknowledged = await fill(shadows);
  expect(acknowledged.size).toBeGreaterThan(10);
  let items = 0;
  const refused = await (async () => {
    for (;;) {
      try {
        await dynamo.send(item(items));
        items++;
      } catch (error) {
        return error;
      }
    }
  })();
  expect(refused).toMatchObject({ name: 'InternalServerError' });
  expect(errors).toMatch(/no room|disk is full|EFBIG|File too large/);
  expect(child?.exitCode).toBeNull();

  limitFiles('unlimited');
  await shadows.send(
    new UpdateThingShadowCommand({ thingName, shadowName: 's0', payload: '{"state":{"reported":{"n":1}}}' }),
  );
  await dynamo.send(item(items));
  const file = join(folder, 'backup');
  const backup = await beam(['cloud', 'backup', file, '--data', data, '--json']);
  expect(JSON.parse(backup.stdout)).toEqual({ file, running: true });
  await kill();

  const again = clients(await start());
  for (const shadowName of acknowledged.keys()) {
    const { payload } = await again.data.send(new GetThingShadowCommand({ thingName, shadowName }));
    expect(JSON.parse(text(payload)).version).toBe(shadowName === 's0' ? 2 : 1);
  }
  const check = await beam(['cloud', 'check', '--data', data, '--json']);
  expect(JSON.parse(check.stdout)).toMatchObject({ ok: true, running: true });
  const restored = join(folder, 'restored');
  await beam(['cloud', 'restore', file, '--data', restored]);
  const report = JSON.parse((await beam(['cloud', 'check', '--data', restored, '--json'])).stdout);
  expect(report).toMatchObject({ ok: true, running: false });
  expect(report.read).toMatchObject({
    'cloud/shadows': acknowledged.size,
    'dynamodb/beam-fleet': items + 1,
  });
  for (const client of [iot, shadows, dynamo, again.iot, again.data]) client.destroy();
});
