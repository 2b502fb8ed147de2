import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type DynamoCalls, dynamoCalls } from '../../dynamodb/calls.ts';
import { type Dynamo, openDynamo } from '../../local-cloud/dynamodb/server.ts';
import type { FleetNode } from '../../protocol/fleet-table.ts';
import type { HealthMessage } from '../../protocol/topics.ts';
import { conditionFailed, type DynamoDb, retrying } from '../aws/dynamodb.ts';
import { callBounds } from '../aws/environment.ts';
import { FleetTable } from '../aws/fleet-table.ts';
import { parseEvent } from './events.ts';
import { healthUpdates, presenceUpdates, type TableUpdate } from './updates.ts';

// Real stores that sync to disk, on a machine that may be busy with other tests.
jest.setTimeout(60_000);

const TableName = 'beam-fleet';
let dir: string;
let dynamo: Dynamo;
let server: Server;
let calls: DynamoCalls;
let client: DynamoDb;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beam-health-'));
  dynamo = await openDynamo(join(dir, 'db'), {
    tables: [{ name: TableName, partitionKey: 'fleet', sortKey: 'item' }],
  });
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    await dynamo.handle(request, response, Buffer.concat(chunks));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  calls = dynamoCalls({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'local',
    callsMax: 100,
    credentials: async () => ({ accessKeyId: 'a', secretAccessKey: 'b' }),
    connectMsMax: 1000,
    answerBytesMax: 2 ** 20,
  });
  client = retrying(calls, callBounds);
});

afterAll(async () => {
  calls.close();
  server.closeAllConnections();
  server.close();
  await dynamo.close();
  rmSync(dir, { recursive: true });
});

/** @returns whether one of them was written. */
async function write(updates: TableUpdate[]): Promise<boolean> {
  for (const update of updates) {
    try {
      await client.updateItem({ TableName, ...update });
      return true;
    } catch (error) {
      if (!conditionFailed(error)) throw error;
    }
  }
  return false;
}

const message = (bootId: string, seq: number, some: Partial<HealthMessage> = {}): HealthMessage => ({
  v: 1,
  thing: 'demo_a',
  bootId,
  seq,
  at: 0,
  kind: 'validator',
  role: 'standby',
  epoch: 0,
  gaiad: { state: 'running', height: seq },
  ...some,
});

const hourMs = 3_600_000;
let fleets = 0;
/** A thing of a fleet of its own. */
function fresh() {
  const fleet = `fleet-${fleets++}`;
  const table = new FleetTable(client, TableName);
  return {
    health: (receivedAt: number, news: HealthMessage, now = hourMs) =>
      write(healthUpdates(fleet, 'demo_a', receivedAt, news, now)),
    presence: (connected: boolean, at: number, now = hourMs) =>
      write(presenceUpdates(fleet, 'demo_a', connected, at, now)),
    node: async (): Promise<FleetNode | undefined> => (await table.read(fleet)).nodes[0],
  };
}

test('messages of one boot: the last one counts, repeats and older ones do not', async () => {
  const { health, node } = fresh();
  expect(await health(100, message('one', 1, { zone: 'z1' }))).toBe(true);
  expect(await node()).toMatchObject({ seq: 1, zone: 'z1', connected: true, receivedAt: 100 });
  expect(await health(110, message('one', 3))).toBe(true);
  expect(await health(120, message('one', 2))).toBe(false);
  expect(await health(130, message('one', 3))).toBe(false);
  const last = await node();
  expect(last).toMatchObject({ seq: 3, receivedAt: 110, gaiad: { height: 3 } });
  expect(last?.zone).toBeUndefined();
});

test('a new boot takes over; the one before never comes back', async () => {
  const { health, node } = fresh();
  await health(100, message('one', 50));
  expect(await health(110, message('two', 1))).toBe(true);
  expect(await health(120, message('one', 51))).toBe(false);
  expect(await health(130, message('two', 2))).toBe(true);
  expect(await node()).toMatchObject({ bootId: 'two', seq: 2 });
});

test('a boot that was replaced by a clone is heard again once the clone is silent', async () => {
  const { health, node } = fresh();
  await health(100, message('original', 50));
  await health(110, message('clone', 1));
  expect(await health(110 + 34_000, message('original', 54))).toBe(false);
  expect(await health(110 + 36_000, message('original', 55))).toBe(true);
  expect(await node()).toMatchObject({ bootId: 'original', seq: 55, connected: true });
  expect(await health(110 + 40_000, message('clone', 5))).toBe(false);
});

test('presence before any health is nothing; then it is kept in the order in which it happened', async () => {
  const { health, presence, node } = fresh();
  expect(await presence(true, 90)).toBe(false);
  await health(100, message('one', 1));
  expect(await presence(false, 200)).toBe(true);
  expect((await node())?.connected).toBe(false);
  expect(await presence(true, 190)).toBe(false);
  expect(await presence(true, 210)).toBe(true);
  expect((await node())?.connected).toBe(true);
});

test('a disconnect that comes late counts for nothing, and a message that comes late brings nobody back', async () => {
  const { health, presence, node } = fresh();
  await health(100, message('one', 1));
  await health(300, message('one', 2));
  expect(await presence(false, 200)).toBe(false);
  await presence(false, 400);
  expect(await health(390, message('one', 3))).toBe(true);
  expect(await node()).toMatchObject({ seq: 3, connected: false });
  await health(410, message('one', 4));
  expect(await node()).toMatchObject({ seq: 4, connected: true });
});

test('a clock that was set back by an hour: a pilot that starts, a connection lost and found again are heard at once', async () => {
  const { health, presence, node } = fresh();
  await health(hourMs, message('one', 1));
  // Late, and no clock was set back: the boot after it stands.
  expect(await health(90, message('zero', 7), hourMs)).toBe(false);
  expect(await health(100, message('two', 1), 100)).toBe(true);
  expect(await node()).toMatchObject({ bootId: 'two', receivedAt: 100 });

  await health(hourMs, message('two', 2));
  expect(await presence(false, 200, 200)).toBe(true);
  expect(await node()).toMatchObject({ connected: false });
  await health(hourMs, message('two', 3));
  await presence(false, hourMs + 1);
  expect(await presence(true, 300, 300)).toBe(true);
  expect(await node()).toMatchObject({ connected: true });

  await health(hourMs, message('two', 4));
  await presence(false, hourMs + 1);
  expect(await health(400, message('two', 5), 400)).toBe(true);
  expect(await node()).toMatchObject({ connected: true, receivedAt: 400 });
});

test('in whatever order one boot’s messages come, and however often, the last one stands', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 8 }),
      async (seqs) => {
        const { health, node } = fresh();
        let receivedAt = 100;
        for (const seq of seqs) await health(receivedAt++, message('one', seq));
        expect((await node())?.seq).toBe(Math.max(...seqs));
      },
    ),
    { numRuns: 25 },
  );
});

test('nobody speaks for another thing or another fleet', () => {
  const event = { ...message('one', 1), trigger: 'health', fleet: 'demo', sender: 'demo_a', receivedAt: 1 };
  expect(parseEvent(event)).toMatchObject({ kind: 'health', thing: 'demo_a', fleet: 'demo' });
  expect(parseEvent({ ...event, sender: 'demo_b' }).kind).toBe('fault');
  expect(parseEvent({ ...event, fleet: 'other' }).kind).toBe('fault');
  expect(parseEvent({ ...event, seq: -1 }).kind).toBe('fault');
  expect(parseEvent(undefined).kind).toBe('fault');
});

test('an operator’s client is no node', () => {
  const presence = { trigger: 'presence', eventType: 'connected', timestamp: 1 };
  expect(parseEvent({ ...presence, clientId: 'beam-operator-1' }).kind).toBe('none');
  expect(parseEvent({ ...presence, clientId: 'demo_a' })).toMatchObject({
    kind: 'presence',
    connected: true,
  });
});
