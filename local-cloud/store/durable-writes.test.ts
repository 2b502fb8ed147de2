import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { ClassicLevel } from 'classic-level';
import { KeyLocks } from '../dynamodb/key-locks.ts';
import { DurableWrites, type Level } from './durable-writes.ts';

let dir: string;
let level: Level;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beam-level-'));
  level = new ClassicLevel<string, unknown>(dir, { valueEncoding: 'json' });
  await level.open();
});
afterEach(async () => {
  await level.close();
  rmSync(dir, { recursive: true });
});

test('writes at one go share a sync, and so do those that arrive while it is on its way to the disk', async () => {
  const writes = new DurableWrites(level, () => {});
  const batch = jest.spyOn(level, 'batch');
  const write = (value: number) => writes.write([{ type: 'put', key: `k${value}`, value }]);
  const first = [write(0), write(1)];
  await Promise.resolve();
  expect(batch).toHaveBeenCalledTimes(1);
  await Promise.all([...first, ...Array.from({ length: 48 }, (_, n) => write(n + 2))]);
  expect(batch).toHaveBeenCalledTimes(2);
  expect(await level.get('k49')).toBe(49);
});

test('after a failed write all are refused until the database is opened again', async () => {
  const failures: unknown[] = [];
  const writes = new DurableWrites(level, (error) => failures.push(error));
  await level.close();
  await expect(writes.write([{ type: 'put', key: 'a', value: 1 }])).rejects.toThrow(/not open/);
  await level.open();
  await expect(writes.write([{ type: 'put', key: 'a', value: 2 }])).rejects.toThrow('The store failed');
  expect(failures).toHaveLength(1);
  writes.resume();
  await writes.write([{ type: 'put', key: 'a', value: 3 }]);
  expect(await level.get('a')).toBe(3);
});

test('a lock goes to one at a time, in order, and a second release of one holder frees nobody else', async () => {
  const locks = new KeyLocks();
  const order: string[] = [];
  const releases: (() => void)[] = [];
  for (const name of ['first', 'second', 'third']) {
    locks.acquire('key', (release) => {
      order.push(name);
      releases.push(release);
    });
  }
  locks.acquire('other key', () => order.push('other'));
  releases[0]?.();
  releases[0]?.();
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  expect(order).toEqual(['first', 'other', 'second']);
});
