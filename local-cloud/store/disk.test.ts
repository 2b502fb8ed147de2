import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { ClassicLevel } from 'classic-level';
import { Disk, StoreError } from './disk.ts';
import { halfBytes, Journal } from './journal.ts';
import { RecordBuffer, type WriteOperation } from './journal-records.ts';

let dir = '';
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beam-disk-'));
  await (await Disk.open(dir)).close();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const put = (key: string, text: string | undefined): WriteOperation => ({ key, text });
const path = (half: number) => join(dir, `journal-${half}`);

/** As a process that is killed leaves it: records that nothing brought into LevelDB. */
async function journaled(...records: WriteOperation[][]): Promise<void> {
  const journal = new Journal(dir, 0);
  for (const operations of records) await append(journal, operations);
  journal.close();
}

async function append(journal: Journal, operations: readonly WriteOperation[]): Promise<void> {
  const buffer = new RecordBuffer(64 * 1024);
  buffer.begin();
  expect(buffer.add(operations)).toBe(true);
  await journal.append(buffer.finish(journal.sequence + 1));
}

/** Where the records' headers lie. */
function recordsAt(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at < bytes.length; at += 512) if (bytes.readUInt32LE(at) === 0xff4dfa4a) found.push(at);
  return found;
}

function spoil(half: number, record: number): void {
  const bytes = readFileSync(path(half));
  const at = (recordsAt(bytes)[record] ?? 0) + 20;
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path(half), bytes);
}

async function texts(...keys: string[]): Promise<(string | undefined)[]> {
  const disk = await Disk.open(dir);
  const found = await Promise.all(keys.map((key) => disk.get(key)));
  await disk.close();
  return found;
}

test('what the journal had when the process was killed is there again, in its order, once', async () => {
  await journaled(
    [put('a', '1'), put('b', '"é\u2028"')],
    [put('a', '2')],
    [put('b', undefined), put('c', '{}')],
  );
  expect(await texts('a', 'b', 'c')).toEqual(['2', undefined, '{}']);
  const disk = await Disk.open(dir);
  expect(await disk.level.get('meta~journal')).toBe('3');
  await disk.writes.write([put('a', '3')]);
  await disk.close();
  expect(await texts('a')).toEqual(['3']);
});

test('a last record that is torn was never acknowledged; one before others that is damaged is not passed over', async () => {
  const records = [[put('a', '1')], [put('a', '2')], [put('a', '3'.repeat(600))]];
  await journaled(...records);
  spoil(0, 2);
  expect(await texts('a')).toEqual(['2']);
  rmSync(dir, { recursive: true });
  await (await Disk.open(dir)).close();
  await journaled(...records);
  spoil(0, 1);
  for (let time = 0; time < 2; time++) {
    await expect(Disk.open(dir)).rejects.toThrow(StoreError);
    await expect(Disk.open(dir)).rejects.toThrow(
      /record 2 is damaged or missing, and records up to 3 follow/,
    );
  }
  for (const half of [0, 1]) rmSync(path(half), { force: true });
  expect(await texts('a')).toEqual([undefined]);
});

test('the records of both halves are taken together, whichever begins', async () => {
  const journal = new Journal(dir, 0);
  await append(journal, [put('a', '1')]);
  journal.turn();
  await append(journal, [put('a', '2')]);
  await append(journal, [put('b', '2')]);
  journal.turn();
  await append(journal, [put('a', '3')]);
  journal.close();
  // The first record lay where the last one is: LevelDB had it by then.
  const disk = await Disk.open(dir).catch((error: unknown) => error);
  expect(disk).toBeInstanceOf(StoreError);
  rmSync(path(0));
  rmSync(path(1));
  const next = new Journal(dir, 0);
  await append(next, [put('a', '1')]);
  next.turn();
  await append(next, [put('a', '2')]);
  next.close();
  expect(await texts('a')).toEqual(['2']);
});

test('a kill at any byte of a write leaves all that was acknowledged', async () => {
  const disk = await Disk.open(dir);
  await disk.writes.write([put('a', '0')]);
  await disk.close();
  await journaledAfter(1, [put('a', '1'.repeat(100))]);
  const whole = readFileSync(path(0));
  const at = recordsAt(whole)[0] ?? 0;
  for (const cut of [0, 4, 17, 20, 40]) {
    const torn = Buffer.from(whole);
    torn.fill(0, at + cut, at + 512);
    writeFileSync(path(0), torn);
    expect(await texts('a')).toEqual(['0']);
  }
  writeFileSync(path(0), whole);
  expect(await texts('a')).toEqual(['1'.repeat(100)]);
});

async function journaledAfter(sequence: number, operations: WriteOperation[]): Promise<void> {
  const journal = new Journal(dir, sequence);
  await append(journal, operations);
  journal.close();
}

test('a half that was made in part is made whole before it is written', async () => {
  const file = openSync(path(0), 'w');
  writeSync(file, Buffer.alloc(1000));
  closeSync(file);
  const disk = await Disk.open(dir);
  await disk.writes.write([put('a', '1')]);
  expect(readFileSync(path(0))).toHaveLength(halfBytes);
  await disk.close();
});

test('after a failed write nobody else gets at the journal; a close while it is opened again leaves it closed (LevelDB made to fail)', async () => {
  const disk = await Disk.open(dir);
  await disk.writes.write([put('a', '1')]);
  const moves = disk.level as unknown as { batch(): Promise<void> };
  jest.spyOn(moves, 'batch').mockRejectedValueOnce(new Error('no room'));
  await expect(disk.reader(() => undefined)).rejects.toThrow('no room');
  await expect(Disk.open(dir)).rejects.toThrow('another process has it open');
  const reopened = disk.ready();
  const closed = disk.close();
  await Promise.all([reopened, closed]);
  await disk.ready();
  expect(await texts('a')).toEqual(['1']);
});

test('a mark in LevelDB that is no number is not taken for an empty journal', async () => {
  await journaled([put('a', '1')]);
  const level = new ClassicLevel(dir);
  await level.put('meta~journal', 'x');
  await level.close();
  await expect(Disk.open(dir)).rejects.toThrow(/meta~journal is no number/);
});

test('a reader has what was acknowledged before it, and nothing that came later', async () => {
  const disk = await Disk.open(dir);
  await disk.writes.write([put('a', '1')]);
  const reading = disk.reader((level) => level.keys());
  const later = disk.writes.write([put('b', '1')]);
  const keys = await reading;
  await later;
  expect((await keys.all()).filter((key) => !key.startsWith('meta~'))).toContain('a');
  const snapshot = await disk.snapshot();
  await disk.writes.write([put('c', '1')]);
  const found: string[] = [];
  for await (const [key] of snapshot.entries()) found.push(key);
  await snapshot.end();
  expect(found.filter((key) => !key.startsWith('meta~'))).toEqual(['a', 'b']);
  await disk.close();
});
