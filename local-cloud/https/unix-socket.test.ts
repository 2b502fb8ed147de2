import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type DynamoCalls, dynamoCalls } from '../../dynamodb/calls.ts';
import type { Cloud } from '../cloud.ts';
import { makeCloudFolder, startEmptyCloud } from '../cloud-fixture.ts';

let dir = '';
let cloud: Cloud | undefined;
const opened: DynamoCalls[] = [];

beforeAll(async () => {
  dir = await makeCloudFolder();
  cloud = await startEmptyCloud(dir);
}, 60_000);

afterAll(async () => {
  for (const calls of opened) calls.close();
  await cloud?.stop();
  rmSync(dir, { recursive: true, force: true });
});

function bySocket(secretAccessKey = cloud?.ready.secretAccessKey ?? ''): DynamoCalls {
  if (!cloud) throw new Error('no cloud');
  const { https, region, socket, accessKeyId } = cloud.ready;
  const calls = dynamoCalls({
    region,
    endpoint: https,
    socket,
    callsMax: 2,
    credentials: () => ({ accessKeyId, secretAccessKey }),
    connectMsMax: 1000,
    answerBytesMax: 10_000,
  });
  opened.push(calls);
  return calls;
}
const { signal } = new AbortController();
const read = { TableName: 'beam-sign', Key: { key: { S: 'k' } } };

test('the unix socket is its owner’s alone, and answers only what is signed', async () => {
  expect(statSync(cloud?.ready.socket ?? '').mode & 0o777).toBe(0o600);
  expect(await bySocket().call('GetItem', read, signal)).toEqual({});
  await expect(bySocket('wrong').call('GetItem', read, signal)).rejects.toMatchObject({
    name: 'InvalidSignatureException',
  });
});

test('a data folder whose path is too long for a socket has none', async () => {
  const deep = await startEmptyCloud(dir, join(dir, 'x'.repeat(100)));
  expect(deep.ready.socket).toBeUndefined();
  await deep.stop();
}, 60_000);

test('what a cloud that was killed left in its place is no hindrance', async () => {
  await cloud?.stop();
  writeFileSync(join(dir, 'data/https.sock'), '');
  cloud = await startEmptyCloud(dir);
  expect(await bySocket().call('GetItem', read, signal)).toEqual({});
}, 60_000);
