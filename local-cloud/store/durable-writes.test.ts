import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { ClassicLevel } from 'classic-level';
import { KeyLocks } from '../dynamodb/key-locks.ts';
import { DurableWrites, type Level } from './durable-writes.ts';
import { Journal, readJournal } from './journal.ts';

let dir: string;
let level: Level;
let journal: Journal;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beam-level-'));
  level = new ClassicLevel<string, string>(dir);
  await level.open();
  journal = new Journal(dir, 0);
});
afterEach(async () => {
  await level.close();
  rmSync(dir, { recursive: true });
});

/** LevelDB's next batch waits. @returns makes it fail */
function holdNextBatch(): (error: Error) => void {
  let reject = (_: Error): void => undefined;
  const moves = level as unknown as { batch(): Promise<void> };
  jest.spyOn(moves, 'batch').mockImplementationOnce(
    () =>
      new Promise((_, refuse) => {
        reject = refuse;
      }),
  );
  return (error) => reject(error);
}

test('writes of one turn share a record; LevelDB gets the last of each key when somebody asks', async () => {
  const writes = new DurableWrites(level, journal, () => {});
  const batch = jest.spyOn(level, 'batch');
  const write = (key: string, text: string) => writes.write([{ key, text }]);
  await Promise.all(Array.from({ length: 50 }, (_, n) => write(`k${n % 5}`, String(n))));
  await write('k0', 'last');
  expect(readJournal(dir, 0).records.map(({ operations }) => operations.length)).toEqual([50, 1]);
  expect(batch).not.toHaveBeenCalled();
  expect(writes.known('k0')).toEqual({ text: 'last' });
  expect(await writes.onceMoved(() => level.getMany(['k0', 'k4', 'meta~journal']))).toEqual([
    'last',
    '49',
    '2',
  ]);
  expect(batch).toHaveBeenCalledTimes(1);
  expect(writes.known('k0')).toBeUndefined();
  await writes.close();
  await expect(write('k0', 'more')).rejects.toThrow('closed');
});

test.each([
  ['quick', Number.POSITIVE_INFINITY],
  ['slow', 0],
])(
  'on a disk that is %s a value is seen when it is on disk, not before, and all through its way into LevelDB',
  async (_, quickMs) => {
    const writes = new DurableWrites(level, new Journal(dir, 0, quickMs), () => {});
    const read = async () => (writes.known('k') ?? { text: await level.get('k') }).text;
    let isOver = false;
    let last = 0;
    const moved: Promise<void>[] = [];
    const reader = (async () => {
      for (; !isOver; await new Promise(setImmediate)) {
        const seen = Number((await read()) ?? 0);
        expect(seen).toBeGreaterThanOrEqual(last);
        last = seen;
      }
    })();
    for (let n = 1; n <= 60; n++) {
      const written = writes.write([{ key: 'k', text: String(n) }]);
      expect(writes.known('k')?.text ?? '0').not.toBe(String(n));
      await written;
      expect(Number(await read())).toBe(n);
      if (n % 7 === 0) moved.push(writes.onceMoved(() => undefined));
    }
    await Promise.all(moved);
    isOver = true;
    await reader;
    await writes.close();
  },
);

test('more than a half of the journal, and more than a record takes, goes on into LevelDB and is all there', async () => {
  const writes = new DurableWrites(level, journal, () => {});
  const text = 'x'.repeat(60_000);
  await Promise.all(Array.from({ length: 200 }, (_, n) => writes.write([{ key: `k${n}`, text }])));
  await writes.write([{ key: 'code', text: 'y'.repeat(5_000_000) }]);
  await writes.write([{ key: 'k7', text: undefined }]);
  expect(await level.get('code')).toHaveLength(5_000_000);
  await writes.close();
  const keys = await level.keys({ gte: 'k', lt: 'l' }).all();
  expect(keys).toHaveLength(199);
  expect(keys).not.toContain('k7');
});

test('after a failed write all are refused until the database is opened again; what was acknowledged is in the journal', async () => {
  const failures: unknown[] = [];
  const writes = new DurableWrites(level, journal, (error) => failures.push(error));
  await writes.write([{ key: 'a', text: '1' }]);
  await level.close();
  await expect(writes.onceMoved(() => undefined)).rejects.toThrow(/not open/);
  expect(writes.failed).toBe(true);
  await level.open();
  await expect(writes.write([{ key: 'a', text: '2' }])).rejects.toThrow('The store failed');
  expect(failures).toHaveLength(1);
  expect(readJournal(dir, 0).records).toEqual([{ sequence: 1, operations: [{ key: 'a', text: '1' }] }]);
  await writes.idle();
  journal.close();
  writes.resume(new Journal(dir, 1));
  await writes.write([{ key: 'a', text: '3' }]);
  expect(await writes.onceMoved(() => level.get('a'))).toBe('3');
  await writes.close();
});

test('what could not be moved into LevelDB stays in the journal, whoever waits for the other half meanwhile (LevelDB made to fail)', async () => {
  const writes = new DurableWrites(level, journal, () => {});
  await writes.write([{ key: 'a', text: '1' }]);
  const refuse = holdNextBatch();
  const reading = writes.onceMoved(() => undefined).catch((error: unknown) => error);
  const text = 'x'.repeat(1_000_000);
  for (let n = 0; n < 4; n++) await writes.write([{ key: `k${n}`, text }]);
  const noRoomLeft = writes.write([{ key: 'k4', text }]).catch((error: unknown) => error);
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  refuse(new Error('no room'));
  expect([await reading, await noRoomLeft]).toEqual([new Error('no room'), new Error('no room')]);
  await writes.idle();
  expect(writes.known('a')).toEqual({ text: '1' });
  const { records, damage } = readJournal(dir, 0);
  expect(damage).toBeUndefined();
  expect(records.map(({ operations }) => operations[0]?.key)).toEqual(['a', 'k0', 'k1', 'k2', 'k3']);
});

test('writes do not wait for a reader who waits for a long move (LevelDB made to stand still)', async () => {
  const writes = new DurableWrites(level, journal, () => {});
  await writes.write([{ key: 'a', text: '1' }]);
  let goOn = (): void => undefined;
  const moves = level as unknown as { batch(): Promise<void> };
  const standing = jest.spyOn(moves, 'batch').mockImplementationOnce(
    () =>
      new Promise((resolve) => {
        goOn = resolve;
      }),
  );
  const first = writes.onceMoved(() => undefined);
  await writes.write([{ key: 'b', text: '1' }]);
  expect(standing).toHaveBeenCalledTimes(1);
  const second = writes.onceMoved(() => level.get('c'));
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  await writes.write([{ key: 'c', text: '1' }]);
  goOn();
  await first;
  expect(await second).toBe('1');
  await writes.close();
});

test('what waits for the disk is bounded by its length, too: more is refused until it is written, or has failed (LevelDB made to fail)', async () => {
  const bounds = { writesMax: 100, charsMax: 1000 };
  const writes = new DurableWrites(level, journal, () => {}, bounds);
  const write = (key: string, text: string | undefined) => writes.write([{ key, text }]);
  const refused = 'Writes of more than 1000 characters wait for the disk';
  for (let round = 0; round < 2; round++) {
    const taken = [write('a', 'x'.repeat(998)), write('b', 'x'.repeat(5000))];
    await expect(write('c', undefined)).rejects.toThrow(refused);
    await expect(writes.onceMoved(() => undefined)).rejects.toThrow(refused);
    await Promise.all(taken);
  }
  expect(writes.known('c')).toBeUndefined();
  const refuse = holdNextBatch();
  const tooLongForTheJournal = write('a', 'x'.repeat(2_000_000)).catch((error: unknown) => error);
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  const behind = write('b', 'x'.repeat(5000)).catch((error: unknown) => error);
  refuse(new Error('no room'));
  expect([await tooLongForTheJournal, await behind]).toEqual([new Error('no room'), new Error('no room')]);
  await writes.idle();
  journal.close();
  writes.resume(new Journal(dir, 2));
  await write('a', 'x');
  await writes.close();
});

test('a step that changed nothing waits for what was written before it, and writes nothing', async () => {
  const writes = new DurableWrites(level, journal, () => {});
  const batch = jest.spyOn(level, 'batch');
  const order: string[] = [];
  const write = (name: string, ...operations: { key: string; text: string }[]) =>
    writes.write(operations).then(() => order.push(name));
  await Promise.all([write('a', { key: 'a', text: '1' }), write('nothing')]);
  await write('nothing again');
  expect(order).toEqual(['a', 'nothing', 'nothing again']);
  expect(writes.known('a')).toEqual({ text: '1' });
  expect(batch).not.toHaveBeenCalled();
  await writes.close();
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
