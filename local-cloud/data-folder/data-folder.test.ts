import {
  appendFileSync,
  createWriteStream,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ClassicLevel } from 'classic-level';
import { open } from 'lmdb';
import { fromJsonItem, toJsonItem } from '../../protocol/dynamodb-json.ts';
import { signRecord } from '../../protocol/sign-record.ts';
import { type Dynamo, openDynamo } from '../dynamodb/server.ts';
import { openFolder } from '../store/folder.ts';
import { openStore, pairKey, type Store } from '../store/store.ts';
import { openCredentials } from '../tls/credentials.ts';
import { writeBackup } from './backup.ts';
import { backupFolder, checkFolder } from './commands.ts';
import { filesOf } from './files.ts';
import { restoreBackup } from './restore.ts';
import { storeFaults } from './store-faults.ts';

let folder = '';
let data = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'beam-folder-'));
  data = join(folder, 'data');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const tables = [{ name: 'beam-sign', partitionKey: 'key' }];
const record = {
  key: 'chain-1/AB12',
  recordId: 'record-of-enrolment',
  epoch: 3,
  holder: 'demo_a',
  incarnation: 'i',
  grantEpoch: 3,
  grantTo: 'demo_a',
  height: 900,
  round: 0,
  step: 3,
  signBytes: 'AA==',
  timestamp: '',
  lockHeight: 900,
  lockBlock: 'b',
  lockEpoch: 3,
  attempt: 'x',
};
const beat = {
  key: 'chain-1/AB12#beat/record-of-enrolment',
  recordId: 'record-of-enrolment',
  epoch: 3,
  incarnation: 'i',
  beat: 7,
  yielded: 0,
};

async function openBoth() {
  const disk = await openFolder(data);
  const dynamo: Dynamo = await openDynamo(disk, { tables });
  const store: Store = await openStore(disk);
  return { disk, dynamo, store, close: () => disk.close() };
}

const put = (dynamo: Dynamo, item: object) =>
  dynamo.perform('PutItem', { TableName: 'beam-sign', Item: toJsonItem(item) });
const shadow = (n: number, text = '') => ({ version: n, desired: {}, reported: { state: { n, text } } });

async function fill(): Promise<void> {
  await openCredentials(join(data, 'credentials'), []);
  const { dynamo, store, close } = await openBoth();
  await store.shadows.put('demo_a role', shadow(1, 'two kinds of line ends: \u2028 \u2029'));
  await put(dynamo, record);
  await put(dynamo, beat);
  await close();
}

test('a folder of format 1 is brought to the present one whole, and refused by the program of before', async () => {
  const former = await openDynamo(join(data, 'dynamodb'), { tables });
  await put(former, record);
  await former.close();
  const options = { path: join(data, 'cloud.lmdb'), encoding: 'string', maxDbs: 8 } as const;
  const root = open<string, string>(options);
  await root.put('format-version', '1');
  const shadows = root.openDB<string, string>({ name: 'shadows', encoding: 'string' });
  await shadows.put('demo_a role', JSON.stringify(shadow(5)));
  await root.close();
  await expect(checkFolder(data)).rejects.toThrow(/has format 1. Start the cloud once/);
  for (let start = 0; start < 2; start++) {
    const { store, dynamo, close } = await openBoth();
    expect(store.shadows.get('demo_a role')?.version).toBe(5);
    const { body } = await dynamo.perform('Scan', { TableName: 'beam-sign' });
    expect(body).toMatchObject({ Items: [{ recordId: { S: record.recordId } }] });
    await close();
  }
  const again = open<string, string>(options);
  expect(again.get('format-version')).toBe('3');
  await again.close();
});

test('check reads everything and names what is broken', async () => {
  await fill();
  expect(await checkFolder(data)).toMatchObject({
    ok: true,
    findings: [],
    read: { 'cloud/shadows': 1, 'dynamodb/beam-sign': 2, 'dynamodb/table': 1 },
  });
  const broken: [string, string, string][] = [
    ['shadows', 'demo_b role', '{"version":1'],
    ['shadows', 'demo_c role', '{"version":0,"desired":{},"reported":{}}'],
    ['things', 'demo_d', JSON.stringify({ thingName: 'other', thingId: 'i', attributes: {}, version: 1 })],
    ['group-things', pairKey('nobody', 'demo_d'), '1'],
    ['retained', 'a/b', '{"payload":"not base64!","qos":0,"atMs":1}'],
    ['sessions', 'x', '{"id":"x","kind":4,"expirySeconds":1,"subscriptions":[]}'],
    ['queued', 'x 1', '{"topic":"a","payload":"?","qos":1}'],
    ['rule-messages', '1', '{"topic":"a","payload":"","hops":1,"runs":0}'],
    ['policies', 'p', '{"policyName":"p","document":"{}","createdAt":1}'],
    [
      'certificates',
      'ab'.repeat(32),
      JSON.stringify({
        certificateId: 'ab'.repeat(32),
        pem: 'x',
        status: 'ACTIVE',
        createdAt: 1,
        notBefore: 1,
        notAfter: 2,
      }),
    ],
  ];
  const level = new ClassicLevel<string, string>(join(data, 'store'), { valueEncoding: 'utf8' });
  for (const [table, key, value] of broken) await level.put(`iot~${table}~${key}`, value);
  const [itemKey = ''] = await level.keys({ gte: 'item-', limit: 1 }).all();
  await level.put(`${itemKey}moved`, JSON.stringify(toJsonItem({ ...record, key: 'chain-1/CC' })));
  await level.put('item-gone~00', '{}');
  await level.close();
  writeFileSync(join(data, 'credentials/access-key.json'), '{}');
  const { ok, findings } = await checkFolder(data);
  expect(ok).toBe(false);
  const told = findings.map(({ place, what }) => `${place}: ${what}`).join('\n');
  for (const expected of [
    /cloud\/shadows demo_b\/role: the value is no JSON/,
    /cloud\/shadows demo_c\/role: version/,
    /cloud\/things demo_d: it calls itself other/,
    /cloud\/group-things nobody\/demo_d: its other half is not in thing-groups-of/,
    /cloud\/group-things nobody\/demo_d: it names nobody, which is not in thing-groups/,
    /cloud\/retained a\/b: payload/,
    /cloud\/policies p: .*Statement/,
    /cloud\/sessions x: kind/,
    /cloud\/queued x\/1: payload/,
    /cloud\/rule-messages 1: rules/,
    /cloud\/certificates (ab)+: its certificate can't be read/,
    /dynamodb\/beam-sign \[\{"S":"chain-1\/CC"\}\]: it is not under its own key's hash/,
    /dynamodb\/gone "00": there is no table gone/,
    /credentials\/access-key\.json: it is not the local cloud's access key/,
  ])
    expect(told).toMatch(expected);
});

test('check finds a flipped byte of the store, and does not open a store whose log it is in', async () => {
  await fill();
  // A second start makes a table of the log of the first.
  await (await openBoth()).close();
  const flip = (end: string): (() => void) => {
    const name = readdirSync(join(data, 'store')).find((each) => each.endsWith(end)) ?? '';
    const path = join(data, 'store', name);
    const whole = readFileSync(path);
    const flipped = Buffer.from(whole);
    flipped[20] = (flipped[20] as number) ^ 1;
    writeFileSync(path, flipped);
    return () => writeFileSync(path, whole);
  };
  const mendTable = flip('.ldb');
  expect((await checkFolder(data)).findings).toContainEqual({
    place: expect.stringMatching(/^store\/\d+\.ldb$/),
    what: 'the checksum of the block at byte 0 is wrong',
  });
  expect(await storeFaults(data, false, true)).toEqual([]);
  mendTable();
  const { store, close } = await openBoth();
  await store.shadows.put('demo_a role', shadow(2));
  await close();
  const mendLog = flip('.log');
  expect(await storeFaults(data, false, true)).toMatchObject([{ isInLog: true }]);
  for (let time = 0; time < 2; time++) {
    expect((await checkFolder(data)).findings).toEqual([
      {
        place: expect.stringMatching(/^store\/\d+\.log$/),
        what: 'the checksum of the record at byte 0 is wrong',
      },
      { place: 'store', what: expect.stringMatching(/was not opened/) },
    ]);
  }
  mendLog();
  expect(await checkFolder(data)).toMatchObject({ ok: true });
});

test('a backup of a folder that is written to meanwhile is of one moment', async () => {
  const { disk, dynamo, store, close } = await openBoth();
  let isOver = false;
  // Each item is written after the shadow of its number was acknowledged.
  const writeBoth = async (n: number) => {
    await store.shadows.put('demo_a role', shadow(n));
    await put(dynamo, { key: 'counter', n });
  };
  await writeBoth(1);
  const writer = (async () => {
    for (let n = 2; !isOver; n++) await writeBoth(n);
  })();
  const seen: [number, number][] = [];
  for (let round = 0; round < 5; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const snapshot = await disk.snapshot();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const file = join(folder, `b${round}`);
    await writeBackup(snapshot, [], { format: 3, at: 'now' }, createWriteStream(file));
    await snapshot.end();
    const lines: { key?: string; value: string }[] = gunzipSync(readFileSync(file))
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const value = (prefix: string) =>
      JSON.parse(lines.find(({ key }) => key?.startsWith(prefix))?.value ?? 'null');
    seen.push([value('iot~shadows~').version, Number(value('item-beam-sign~').n.N)]);
  }
  isOver = true;
  await writer;
  await close();
  expect(new Set(seen.map(([version]) => version)).size).toBeGreaterThan(1);
  for (const [version, n] of seen) expect([version - 1, version]).toContain(n);
});

test('a restored folder has everything; its sign record is another one, sealed, without its beat', async () => {
  await fill();
  const file = join(folder, 'backup');
  await backupFolder(data, file);
  await expect(backupFolder(data, file)).rejects.toThrow(/is there already/);
  await expect(backupFolder(data, join(folder, 'nowhere/b'))).rejects.toThrow(/There is no folder .*nowhere/);
  await expect(restoreBackup(file, data)).rejects.toThrow(/is not empty/);
  const before = readFileSync(join(data, 'credentials/ca-key.pem'), 'utf8');
  data = join(folder, 'restored');
  const restored = await restoreBackup(file, data);
  expect(restored.signRecords).toEqual([record.key]);
  const { findings, read } = await checkFolder(data);
  expect(findings).toEqual([]);
  // What is told is what is there, files aside.
  expect(restored.entries).toBe(Object.values(read).reduce((sum, count) => sum + count, 0));
  expect(restored.files).toBeGreaterThan(0);
  expect(readFileSync(join(data, 'credentials/ca-key.pem'), 'utf8')).toBe(before);
  const { dynamo, store, close } = await openBoth();
  expect(store.shadows.get('demo_a role')).toEqual(shadow(1, 'two kinds of line ends: \u2028 \u2029'));
  const { body } = await dynamo.perform('Scan', { TableName: 'beam-sign' });
  const items = (body as { Items: Record<string, unknown>[] }).Items.map(fromJsonItem);
  expect(items).toHaveLength(1);
  const { recordId, height, ...rest } = signRecord.parse(items[0]);
  expect(recordId).not.toBe(record.recordId);
  expect(height).toBe(900);
  expect(rest).toMatchObject({ epoch: Number.MAX_SAFE_INTEGER, holder: '#sealed' });
  await close();
});

test('a backup that is cut, changed, or of a newer program leaves no folder behind', async () => {
  await fill();
  const file = join(folder, 'backup');
  await backupFolder(data, file);
  const whole = readFileSync(file);
  const text = gunzipSync(whole).toString();
  for (const [bytes, message] of [
    [whole.subarray(0, whole.length - 20), /no whole backup/],
    [gzipSync(text.split('\n').slice(0, -2).join('\n')), /its end is missing/],
    [gzipSync(text.replace('"n\\":1', '"n\\":2')), /it was changed/],
    [gzipSync(text.replace('"format":3', '"format":4')), /newer program .*format 4/],
    [gzipSync(text.replace('credentials/ca.pem', '../ca.pem')), /names a file outside/],
    [Buffer.from('something else'), /no whole backup/],
  ] as const) {
    writeFileSync(file, bytes);
    await expect(restoreBackup(file, join(folder, 'restored'))).rejects.toThrow(message);
  }
  expect(readdirSync(folder).sort()).toEqual(['backup', 'data']);
});

test('files beside the halves are kept, logs and half-written ones are not', async () => {
  await fill();
  for (const path of ['x.tmp', 'cloud.lmdb.format-1']) appendFileSync(join(data, path), 'x');
  expect(existsSync(join(data, 'x.tmp'))).toBe(true);
  expect([...filesOf(data)].map(({ path }) => path).sort()).toEqual([
    'credentials/access-key.json',
    'credentials/ca-key.pem',
    'credentials/ca.pem',
    'credentials/server-key.pem',
    'credentials/server.pem',
  ]);
});
