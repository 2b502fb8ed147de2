import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  BatchWriteItemCommand,
  CreateTableCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { readJournal } from '../store/journal.ts';
import { type Dynamo, openDynamo, type TableDefinition } from './server.ts';

const tables: TableDefinition[] = [
  { name: 'beam-sign', partitionKey: 'key' },
  { name: 'beam-fleet', partitionKey: 'fleet', sortKey: 'item' },
];
const TableName = 'beam-sign';

let dir: string;
let dynamo: Dynamo;
let server: Server;
let client: DynamoDBClient;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beam-dynamo-'));
  dynamo = await openDynamo(join(dir, 'db'), { tables });
  server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    await dynamo.handle(req, res, Buffer.concat(chunks));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'local',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  });
});

afterAll(async () => {
  client.destroy();
  server.closeAllConnections();
  server.close();
  await dynamo.close();
  rmSync(dir, { recursive: true });
});

const claim = (key: string, epoch: number, holder: string) =>
  new UpdateItemCommand({
    TableName,
    Key: { key: { S: key } },
    UpdateExpression: 'SET epoch = :e, holder = :h',
    ConditionExpression: 'recordId = :r AND (attribute_not_exists(epoch) OR epoch < :e)',
    ExpressionAttributeValues: { ':e': { N: String(epoch) }, ':h': { S: holder }, ':r': { S: 'r1' } },
    ReturnValues: 'ALL_NEW',
  });
const enrol = (key: string) =>
  new PutItemCommand({
    TableName,
    Item: { key: { S: key }, recordId: { S: 'r1' } },
    ConditionExpression: 'attribute_not_exists(recordId)',
  });
const read = async (key: string) =>
  (await client.send(new GetItemCommand({ TableName, Key: { key: { S: key } }, ConsistentRead: true }))).Item;

test('of 200 racing conditional updates one wins, and a consistent read sees it', async () => {
  await client.send(enrol('race'));
  const outcomes = await Promise.allSettled(
    Array.from({ length: 200 }, (_, index) => client.send(claim('race', 1, `thing-${index}`))),
  );
  const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  expect(won).toHaveLength(1);
  const holder = won[0]?.value.Attributes?.holder;
  expect(won[0]?.value.Attributes).toEqual({
    key: { S: 'race' },
    recordId: { S: 'r1' },
    epoch: { N: '1' },
    holder,
  });
  expect((await read('race'))?.holder).toEqual(holder);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason.name).toBe('ConditionalCheckFailedException');
  }
});

test('rising counters on several keys at once never lose an update', async () => {
  const keys = ['c1', 'c2', 'c3'];
  const add = (key: string) =>
    client.send(
      new UpdateItemCommand({
        TableName,
        Key: { key: { S: key } },
        UpdateExpression: 'ADD n :one',
        ExpressionAttributeValues: { ':one': { N: '1' } },
        ReturnValues: 'UPDATED_NEW',
      }),
    );
  const answers = await Promise.all(Array.from({ length: 90 }, (_, index) => add(keys[index % 3] ?? 'c1')));
  expect(answers.map(({ Attributes }) => Number(Attributes?.n?.N)).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 90 }, (_, index) => Math.floor(index / 3) + 1),
  );
});

test('an update of a record that is missing fails and makes none', async () => {
  await expect(client.send(claim('missing', 1, 'x'))).rejects.toMatchObject({
    name: 'ConditionalCheckFailedException',
  });
  expect(await read('missing')).toBeUndefined();
});

test('a failed condition returns the old item where it is asked for', async () => {
  await client.send(enrol('old'));
  await client.send(claim('old', 5, 'one'));
  const again = claim('old', 5, 'two');
  again.input.ReturnValuesOnConditionCheckFailure = 'ALL_OLD';
  await expect(client.send(again)).rejects.toMatchObject({ Item: { holder: { S: 'one' } } });
  expect(await client.send(claim('old', 5, 'two')).catch((error) => error.Item)).toBeUndefined();
});

test('queries, scans, batches and deletes work, with limits and pages', async () => {
  const fleet = { S: 'demo' };
  const items = Array.from({ length: 12 }, (_, index) => ({
    fleet,
    item: { S: `n${String(index).padStart(2, '0')}` },
    at: { N: String(index) },
  }));
  await client.send(
    new BatchWriteItemCommand({
      RequestItems: { 'beam-fleet': items.map((Item) => ({ PutRequest: { Item } })) },
    }),
  );
  const query = (more: object) =>
    client.send(
      new QueryCommand({
        TableName: 'beam-fleet',
        KeyConditionExpression: 'fleet = :f AND #i > :i',
        ExpressionAttributeNames: { '#i': 'item' },
        ExpressionAttributeValues: { ':f': fleet, ':i': { S: 'n01' } },
        ...more,
      }),
    );
  expect((await query({})).Items).toEqual(items.slice(2));
  expect((await query({ ScanIndexForward: false })).Items).toEqual(items.slice(2).reverse());
  const page = await query({ Limit: 4 });
  expect(page.Items).toEqual(items.slice(2, 6));
  expect((await query({ Limit: 4, ExclusiveStartKey: page.LastEvaluatedKey })).Items).toEqual(
    items.slice(6, 10),
  );
  await client.send(new DeleteItemCommand({ TableName: 'beam-fleet', Key: { fleet, item: { S: 'n05' } } }));
  const scan = await client.send(
    new ScanCommand({
      TableName: 'beam-fleet',
      FilterExpression: '#at > :n',
      ExpressionAttributeNames: { '#at': 'at' },
      ExpressionAttributeValues: { ':n': { N: '3' } },
    }),
  );
  expect(scan.Count).toBe(7);
});

test('tables: the given ones are there, others can be made, an unknown one and an absent operation are refused', async () => {
  const other = new CreateTableCommand({
    TableName: 'other',
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  });
  await client.send(other);
  await expect(client.send(other)).rejects.toMatchObject({
    name: 'ResourceInUseException',
    message: 'Table already exists: other',
  });
  expect((await client.send(new ListTablesCommand({}))).TableNames).toEqual([
    'beam-fleet',
    'beam-sign',
    'other',
  ]);
  await expect(
    client.send(new GetItemCommand({ TableName: 'nowhere', Key: { key: { S: 'x' } } })),
  ).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  await expect(client.send(new DeleteTableCommand({ TableName }))).rejects.toMatchObject({
    name: 'UnknownOperationException',
    message: 'DeleteTable is not in this DynamoDB',
  });
});

test.each([
  ['no JSON', '{', 'SerializationException'],
  ['not an object', '[]', 'SerializationException'],
  ['a number that no double holds', '{"TableName":"t","Limit":1e400}', 'SerializationException'],
  ['another type', '{"TableName":7}', 'SerializationException'],
  [
    'a null where members are looked for',
    '{"TableName":"beam-sign","Key":{"key":null}}',
    'SerializationException',
  ],
  [
    'an expression that does not parse',
    '{"TableName":"beam-sign","Key":{"key":{"S":"a"}},"UpdateExpression":"SET"}',
    'ValidationException',
  ],
  ['another key', '{"TableName":"beam-sign","Key":{"id":{"S":"a"}}}', 'ValidationException'],
])('bad input is answered: %s', async (_name, body, type) => {
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, {
    method: 'POST',
    headers: { 'x-amz-target': 'DynamoDB_20120810.UpdateItem', 'content-type': 'application/x-amz-json-1.0' },
    body,
  });
  expect(response.status).toBe(400);
  expect(((await response.json()) as { __type: string }).__type).toMatch(new RegExp(`#${type}$`));
});

test('every write is in the journal, whose file is open for synced writes, before its answer', async () => {
  const place = join(dir, 'synced');
  const { perform, close } = await openDynamo(place, { tables });
  const journaled = () =>
    readJournal(place, 0)
      .records.at(-1)
      ?.operations.map(({ text }) => text);
  const Key = { key: { S: 'a' } };
  await perform('PutItem', { TableName, Item: Key });
  expect(journaled()).toEqual(['{"key":{"S":"a"}}']);
  await perform('UpdateItem', {
    TableName,
    Key,
    UpdateExpression: 'SET epoch = :one',
    ExpressionAttributeValues: { ':one': { N: '1' } },
  });
  expect(journaled()).toEqual(['{"key":{"S":"a"},"epoch":{"N":"1"}}']);
  await perform('DeleteItem', { TableName, Key });
  expect(journaled()).toEqual([undefined]);
  const flags = readdirSync('/proc/self/fd')
    .filter((fd) => {
      try {
        return /synced\/journal-\d$/.test(readlinkSync(`/proc/self/fd/${fd}`));
      } catch {
        return false;
      }
    })
    .map((fd) => readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))
    .map((info) => Number.parseInt(/^flags:\s+(\d+)$/m.exec(info)?.[1] ?? '', 8));
  expect(flags.length).toBeGreaterThan(0);
  for (const each of flags) expect(each & constants.O_DSYNC).toBe(constants.O_DSYNC);
  await close();
});

test('a second process at the same folder is refused with the reason', async () => {
  await expect(openDynamo(join(dir, 'db'), { tables })).rejects.toThrow(/another process has it open/);
});

test('a table that exists with other keys is refused at start', async () => {
  const other = join(dir, 'keys');
  await (await openDynamo(other, { tables: [{ name: 'abc', partitionKey: 'a' }] })).close();
  await expect(openDynamo(other, { tables: [{ name: 'abc', partitionKey: 'b' }] })).rejects.toThrow(
    /Table abc exists with other keys/,
  );
});

test('kill -9 loses nothing that was acknowledged, and the folder opens again', async () => {
  const cache = join(import.meta.dirname, '../../node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const bundle = mkdtempSync(join(cache, 'beam-dynamo-test-'));
  let child: ChildProcess | undefined;
  try {
    const outfile = join(bundle, 'writer.mjs');
    await build({
      stdin: { contents: writerSource, resolveDir: import.meta.dirname, loader: 'ts' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['classic-level', 'dynalite'],
      outfile,
    });
    const data = join(dir, 'killed');
    let floor = new Map<string, number>();
    for (let round = 0; round < 3; round++) {
      child = spawn(process.execPath, [outfile, data], { stdio: ['ignore', 'pipe', 'inherit'] });
      const acknowledged = new Map(floor);
      let lines = 0;
      for await (const line of createInterface({ input: child.stdout ?? process.stdin })) {
        const [key = '', n = ''] = line.split(' ');
        acknowledged.set(key, Number(n));
        if (++lines === 150) child.kill('SIGKILL');
      }
      const again = await openDynamo(data, { tables });
      for (const [key, n] of acknowledged) {
        const { body } = await again.perform('GetItem', { TableName, Key: { key: { S: key } } });
        const stored = Number((body as { Item?: { n: { N: string } } }).Item?.n.N);
        expect(stored).toBeGreaterThanOrEqual(n);
        acknowledged.set(key, stored);
      }
      await again.close();
      expect(lines).toBeGreaterThanOrEqual(150);
      floor = acknowledged;
    }
  } finally {
    child?.kill('SIGKILL');
    rmSync(bundle, { recursive: true });
  }
});

/** Four writers that count up, each number printed once it is acknowledged. */
const writerSource = `
  import { openDynamo } from './server.ts';
  const tables = ${JSON.stringify(tables)};
  const dynamo = await openDynamo(process.argv[2] ?? '', { tables });
  await Promise.all(['a', 'b', 'c', 'd'].map(async (key) => {
    for (;;) {
      const { status, body } = await dynamo.perform('UpdateItem', {
        TableName: 'beam-sign', Key: { key: { S: key } }, UpdateExpression: 'ADD n :one',
        ExpressionAttributeValues: { ':one': { N: '1' } }, ReturnValues: 'ALL_NEW',
      });
      if (status !== 200) throw new Error(JSON.stringify(body));
      process.stdout.write(key + ' ' + (body as { Attributes: { n: { N: string } } }).Attributes.n.N + '\\n');
    }
  }));
`;
