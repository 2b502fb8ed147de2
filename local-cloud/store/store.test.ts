import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { ClassicLevel } from 'classic-level';
import { StoreError } from './disk.ts';
import { openFolder } from './folder.ts';
import { Journal } from './journal.ts';
import { RecordBuffer } from './journal-records.ts';
import { openStore, pairKey, pairOf } from './store.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'beam-store-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('what was put is there again after it was opened again, keys of the prototype too', async () => {
  const store = await openStore(folder);
  const state = JSON.parse('{"__proto__":{"a":1}}');
  await store.shadows.put('t s', { version: 1, desired: { state }, reported: {} });
  await store.close();
  const again = await openStore(folder);
  expect(JSON.stringify(again.shadows.get('t s')?.desired.state)).toBe('{"__proto__":{"a":1}}');
  await again.close();
});

test('a step that fails half way leaves nothing behind', async () => {
  const store = await openStore(folder);
  await expect(
    store.transact(() => {
      store.groupThings.set(pairKey('g', 'a'), 1);
      store.groupThings.set(pairKey('g', 'b'), 1);
      expect(store.groupThings.has(pairKey('g', 'a'))).toBe(true);
      throw new Error('half way');
    }),
  ).rejects.toThrow('half way');
  expect([...store.groupThings.pairedWith('g')]).toEqual([]);
  await store.transact(() => store.groupThings.set(pairKey('g', 'a'), 1));
  expect([...store.groupThings.pairedWith('g')]).toEqual(['a']);
  await store.close();
});

test('pairs are found by their first part alone', async () => {
  const store = await openStore(folder);
  const target = 'arn:aws:iot:local:000000000000:cert/ab';
  await store.transact(() => {
    for (const [first, second] of [
      ['a', 'x'],
      ['a', 'y'],
      ['ab', 'z'],
      [target, 'p'],
    ] as const) {
      store.targetPolicies.set(pairKey(first, second), 1);
    }
  });
  expect([...store.targetPolicies.pairedWith('a')]).toEqual(['x', 'y']);
  expect([...store.targetPolicies.pairedWith(target)]).toEqual(['p']);
  expect(pairOf(pairKey('a', 'x'))).toEqual(['a', 'x']);
  await store.close();
});

test('a folder of the format before is taken as it is, and says from then on that it has a journal', async () => {
  const put = async (store: Awaited<ReturnType<typeof openStore>>, n: number) => store.presence.put('a', n);
  const store = await openStore(folder);
  await put(store, 1);
  await store.close();
  const format = async (text?: string) => {
    const level = new ClassicLevel(join(folder, 'store'));
    if (text !== undefined) await level.put('meta~format', text);
    const found = await level.get('meta~format');
    await level.close();
    return found;
  };
  await format('2');
  const again = await openStore(folder);
  expect(again.presence.get('a')).toBe(1);
  await again.close();
  expect(await format()).toBe('3');
});

test('the folder of a newer program is refused before its journal is touched, and says what to do', async () => {
  await (await openStore(folder)).close();
  const level = new ClassicLevel(join(folder, 'store'));
  await level.put('meta~format', '4');
  await level.close();
  await expect(openStore(folder)).rejects.toThrow(StoreError);
  await expect(openStore(folder)).rejects.toThrow(/has format 4; .* Start the newer program/);
  const journal = new Journal(join(folder, 'store'), 0);
  const record = new RecordBuffer(1000);
  record.begin();
  record.add([{ key: 'a', text: '1' }]);
  await journal.append(record.finish(1));
  journal.close();
  await expect(openStore(folder)).rejects.toThrow(/has format 4/);
  await level.open();
  expect(await level.get('a')).toBeUndefined();
  await level.close();
});

test('a step sees what was begun before it, a reader what is on disk alone', async () => {
  const store = await openStore(folder);
  const first = store.retained.put('a', { payload: '', qos: 0, atMs: 1 });
  const second = store.transact(() => {
    expect(store.retained.get('a')?.atMs).toBe(1);
    expect([...store.retained.entries()].map(([key]) => key)).toEqual(['a']);
    store.retained.unset('a');
    store.retained.set('b', { payload: '', qos: 0, atMs: 2 });
  });
  const third = store.transact(() => [...store.retained.entries()].map(([key, { atMs }]) => [key, atMs]));
  await Promise.resolve();
  expect(store.retained.get('a')).toBeUndefined();
  expect([...store.retained.entries()]).toEqual([]);
  expect(await third).toEqual([['b', 2]]);
  await Promise.all([first, second]);
  expect([...store.retained.values()].map(({ atMs }) => atMs)).toEqual([2]);
  await store.close();
});

test('what is put within a step is part of it, on disk with all of it or not at all', async () => {
  const disk = await openFolder(folder);
  const store = await openStore(disk);
  const put: Promise<void>[] = [];
  const failing = store.transact(() => {
    put.push(store.presence.put('a', 1));
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  await expect(put[0]).rejects.toThrow('no');
  const step = store.transact(() => {
    put.push(store.presence.put('b', 1), store.presence.remove('c'));
    return store.presence.get('b');
  });
  expect(store.presence.has('b')).toBe(false);
  await put[1];
  expect(store.presence.get('b')).toBe(1);
  expect(await step).toBe(1);
  expect([...store.presence.entries()]).toEqual([['b', 1]]);
  await disk.close();
});

test('a write that was refused for want of room in the queue is no part of what a later step sees', async () => {
  const disk = await openFolder(folder);
  const store = await openStore(disk);
  await store.presence.put('a', 1);
  const waiting = Array.from({ length: 10_000 }, () => store.presence.put('b', 1));
  await expect(store.presence.put('a', 2)).rejects.toThrow('10000 writes wait');
  await expect(store.transact(() => store.presence.set('a', 3))).rejects.toThrow('10000 writes wait');
  await Promise.all(waiting);
  expect(await store.transact(() => store.presence.get('a'))).toBe(1);
  await disk.close();
});

test('while the database is opened again after a failure, readers see all that was acknowledged (LevelDB made to fail)', async () => {
  const disk = await openFolder(folder);
  const store = await openStore(disk);
  await Promise.all(Array.from({ length: 3000 }, (_, n) => store.presence.put(`k${n}`, n)));
  const moves = disk.level as unknown as { batch(): Promise<void> };
  jest.spyOn(moves, 'batch').mockRejectedValueOnce(new Error('no room'));
  await expect(disk.snapshot()).rejects.toThrow('no room');
  let isOpen = false;
  const opened = store.presence.put('more', 1).then(() => {
    isOpen = true;
  });
  const missed = new Set<string>();
  while (!isOpen) {
    for (const key of ['k0', 'k1500', 'k2999']) if (!store.presence.has(key)) missed.add(key);
    await new Promise(setImmediate);
  }
  await opened;
  expect([...missed]).toEqual([]);
  expect([...store.presence.values()]).toHaveLength(3001);
  await disk.close();
});

test('keys are listed in their order, whatever the order of writes and removals', async () => {
  const store = await openStore(folder);
  const put = (key: string) => store.presence.put(key, 1);
  await Promise.all(['m', 'c', 'x'].map(put));
  const keys = () => [...store.presence.entries()].map(([key]) => key);
  expect(keys()).toEqual(['c', 'm', 'x']);
  await Promise.all([put('a'), put('d'), store.presence.remove('m'), put('z')]);
  expect(keys()).toEqual(['a', 'c', 'd', 'x', 'z']);
  await store.close();
});
