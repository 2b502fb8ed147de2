import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { compareJournals } from '../ask.ts';
import { systemClock } from '../clock.ts';
import { JournalKeeper } from '../core/journal-keeper.ts';
import { enrolledState } from '../core/state.ts';
import { readFormerState } from '../import/former-state.ts';
import { journalled } from '../rehearsal/requests.ts';
import { type Disk, systemDisk } from './disk.ts';
import { DiskJournal, readJournalIn } from './journal.ts';
import { DiskStateFile } from './state-file.ts';
import { isAnswered, lockState, StateInUseError } from './state-lock.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'beam-disk-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const state = enrolledState(
  {
    guard: 'record',
    record: { table: 'beam-sign', key: 'c/A', recordId: 'record-0001' },
    publicKey: 'AA==',
    chainId: 'c',
    thing: 'demo_a',
    machine: '',
    floor: { height: 5, round: 0, step: 3 },
  },
  'done',
);

test('a state comes back as it was written, readable by its owner alone', async () => {
  const file = new DiskStateFile(join(dir, 'state'));
  expect(await file.load()).toEqual({ kind: 'none' });
  await file.create(state);
  const next = { ...state, epochSeen: 3 };
  await file.save(next);
  expect(await file.load()).toEqual({ kind: 'state', state: next });
  expect(statSync(join(dir, 'state/state.json')).mode & 0o777).toBe(0o600);
  expect(existsSync(join(dir, 'state/state.json.tmp'))).toBe(false);
});

test('a state that is gone after enrolment is lost, not never there', async () => {
  const file = new DiskStateFile(dir);
  await file.create(state);
  rmSync(join(dir, 'state.json'));
  expect(await file.load()).toMatchObject({ kind: 'lost', reason: expect.stringContaining('was enrolled') });
});

test('a crash between the two files of an enrolment is mended at the next start', async () => {
  const file = new DiskStateFile(dir);
  await file.create({ ...state, enrolment: 'pending' });
  expect(existsSync(join(dir, 'enrolled.json'))).toBe(false);
  await file.save(state);
  expect(await file.load()).toMatchObject({ kind: 'state' });
  expect(existsSync(join(dir, 'enrolled.json'))).toBe(true);
});

test.each([
  ['torn', '{"version":1,"guard":"rec'],
  ['empty', ''],
  ['of another version', JSON.stringify({ ...state, version: 2 })],
  ['with a key of unknown meaning', JSON.stringify({ ...state, more: 1 })],
  ['with a last line that is none', `${JSON.stringify(state)}\n{"version":1}\n`],
])('a state file that is %s is unreadable, with a remedy', async (_, text) => {
  writeFileSync(join(dir, 'state.json'), text);
  const reading = await new DiskStateFile(dir).load();
  expect(reading).toMatchObject({
    kind: 'unreadable',
    reason: expect.stringContaining('join the record again'),
  });
});

test('a save that can’t be written rejects and leaves the old state', async () => {
  const file = new DiskStateFile(join(dir, 'state'));
  await file.create(state);
  rmSync(join(dir, 'state'), { recursive: true });
  await expect(file.save(state)).rejects.toThrow();
});

test('one process a folder', async () => {
  const unlock = await lockState(dir);
  await expect(lockState(dir)).rejects.toThrow(StateInUseError);
  unlock();
  (await lockState(dir))();
});

test('a folder that is given back twice closes no other file', async () => {
  const release = await lockState(dir);
  release();
  const next = openSync(dir, 'r');
  release();
  expect(fstatSync(next).isDirectory()).toBe(true);
  closeSync(next);
});

test('a folder is held across network namespaces too: by its socket file, a stale one aside', async () => {
  const other = createServer().listen(join(dir, 'lock.sock'));
  await once(other, 'listening');
  await expect(lockState(dir)).rejects.toThrow(StateInUseError);
  other.close();
  await once(other, 'close');
  writeFileSync(join(dir, 'lock.sock'), '');
  const release = await lockState(dir);
  expect(await isAnswered(join(dir, 'lock.sock'))).toBe(true);
  release();
});

test('a state is synced before its rename, the folder after it (syncs watched, not mocked)', async () => {
  const file = new DiskStateFile(dir);
  await file.create(state);
  const any = await open(join(dir, 'state.json'), 'r');
  const handles = Object.getPrototypeOf(any) as FileHandle;
  await any.close();
  const next = { ...state, epochSeen: 9 };
  const seen: string[] = [];
  const onDisk = () => /"epochSeen":(\d+)/.exec(readFileSync(join(dir, 'state.json'), 'utf8'))?.[1];
  const { sync } = handles;
  handles.sync = async function (this: FileHandle) {
    seen.push(`sync ${(await this.stat()).isDirectory() ? 'folder' : 'file'}, state ${onDisk()}`);
    await sync.call(this);
  };
  try {
    const another = new DiskStateFile(dir);
    await another.save(next);
    expect(seen.splice(0)).toEqual(['sync file, state 0', 'sync folder, state 9']);
    await another.close();
  } finally {
    Object.assign(handles, { sync });
  }
});

test.each(['journal.jsonl', 'state.json'])(
  '%s is open for writes that return once they are on disk',
  async (name) => {
    const journal = new DiskJournal(dir);
    await journal.append(journalled(1));
    const file = new DiskStateFile(dir);
    await file.save(state);
    const path = join(dir, name);
    const descriptor = readdirSync('/proc/self/fd').find((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === path;
      } catch {
        return false;
      }
    });
    const flags = Number.parseInt(
      /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1] ?? '',
      8,
    );
    expect(flags & constants.O_SYNC).toBe(constants.O_SYNC);
    await Promise.all([journal.close(), file.close()]);
  },
);

test('saves are appended, the last one counts, a torn one is none, and a new process begins a new file', async () => {
  const at = (epochSeen: number) => ({ ...state, epochSeen });
  const path = join(dir, 'state.json');
  const lines = () => readFileSync(path, 'utf8').split('\n').length - 1;
  const file = new DiskStateFile(dir);
  for (const epochSeen of [0, 1, 2, 3]) await file.save(at(epochSeen));
  await file.close();
  expect(lines()).toBe(4);
  expect(await new DiskStateFile(dir).load()).toEqual({ kind: 'state', state: at(3) });
  expect(readFormerState(path).by).toBe('Beam');
  appendFileSync(path, JSON.stringify(at(4)));
  // A copy that was cut short looks the same, and lacks what was signed.
  expect(() => readFormerState(path)).toThrow(/cut short/);
  appendFileSync(path, '\0'.repeat(5000));
  const next = new DiskStateFile(dir);
  expect(await next.load()).toEqual({ kind: 'state', state: at(3) });
  await next.save(at(5));
  await next.close();
  expect(lines()).toBe(1);
  expect(await next.load()).toEqual({ kind: 'state', state: at(5) });
});

test.each<[string, (path: string) => void]>([
  ['moved away', (path) => renameSync(path, `${path}.old`)],
  ['replaced by an older copy', (path) => copyFileSync(`${path}.first`, path)],
])('a state file that was %s while the signer ran is made again by its next save', async (_, meddle) => {
  const path = join(dir, 'state.json');
  const file = new DiskStateFile(dir);
  await file.create(state);
  copyFileSync(path, `${path}.first`);
  await file.save({ ...state, epochSeen: 1 });
  meddle(path);
  await file.save({ ...state, epochSeen: 2 });
  await file.save({ ...state, epochSeen: 3 });
  await file.close();
  expect(await file.load()).toEqual({ kind: 'state', state: { ...state, epochSeen: 3 } });
});

test('a file that was cut short, and is below its journal, is refused', async () => {
  const at = (height: number) => ({ ...state, seen: { ...state.seen, height } });
  const file = new DiskStateFile(dir);
  const journal = new DiskJournal(dir);
  await file.create(at(5));
  for (const height of [6, 7, 8]) {
    await file.save(at(height));
    await journal.append(journalled(height));
  }
  await Promise.all([file.close(), journal.close()]);
  const path = join(dir, 'state.json');
  const text = readFileSync(path, 'utf8');
  const found: string[] = [];
  for (const height of [9, 8, 7]) {
    writeFileSync(
      path,
      `${text}{"height":9,`.slice(0, `${text}{"height":9,`.lastIndexOf(`"height":${height}`)),
    );
    const reading = await file.load();
    found.push(
      reading.kind === 'unreadable' && reading.reason.includes('cut short') ? 'refused' : reading.kind,
    );
  }
  expect(found).toEqual(['state', 'refused', 'refused']);
});

test('a state file is bounded', async () => {
  const file = new DiskStateFile(dir, undefined, 2000);
  await file.create(state);
  for (let epochSeen = 1; epochSeen <= 40; epochSeen++) await file.save({ ...state, epochSeen });
  await file.close();
  expect(statSync(join(dir, 'state.json')).size).toBeLessThan(3000);
  expect(await file.load()).toEqual({ kind: 'state', state: { ...state, epochSeen: 40 } });
});

test('what a kill kept from the journal is read out of the state, and written at the next start, once', async () => {
  const file = new DiskStateFile(dir);
  const first = new DiskJournal(dir);
  await first.append(journalled(1));
  await file.save({ ...state, lastEntry: journalled(2) });
  await Promise.all([first.close(), file.close()]);
  const heights = () => readJournalIn(dir).map(({ height }) => height);
  expect(heights()).toEqual([1, 2]);
  for (let start = 0; start < 2; start++) {
    const journal = new DiskJournal(dir);
    const keeper = new JournalKeeper({ journal, clock: systemClock });
    await keeper.catchUp(journalled(2));
    await keeper.settle();
    await journal.close();
    expect(readFileSync(join(dir, 'journal.jsonl'), 'utf8').split('\n').length - 1).toBe(2);
  }
  expect(heights()).toEqual([1, 2]);
});

test('a line that could not be written is tried again before anything else is signed, and refused while it can’t be', async () => {
  const folder = join(dir, 'state');
  mkdirSync(folder);
  const journal = new DiskJournal(folder);
  const keeper = new JournalKeeper({ journal, clock: systemClock });
  renameSync(folder, `${folder}.away`);
  keeper.note(journalled(1));
  await expect(keeper.settle()).rejects.toMatchObject({ code: 'state-unwritten' });
  renameSync(`${folder}.away`, folder);
  await keeper.settle();
  await journal.close();
  expect(readJournalIn(folder)).toEqual([journalled(1)]);
});

test('a journal that can’t be read at a start has its line written before anything is signed', async () => {
  const journal = new DiskJournal(dir);
  const unreadable = { has: () => Promise.reject(new Error('EIO')), append: journal.append.bind(journal) };
  const keeper = new JournalKeeper({ journal: unreadable, clock: systemClock });
  await keeper.catchUp(journalled(1));
  await keeper.settle();
  await journal.close();
  expect(readJournalIn(dir)).toEqual([journalled(1)]);
});

test.each<[string, (path: string) => void]>([
  ['moved away', (path) => renameSync(path, `${path}.old`)],
  ['deleted', rmSync],
])('a journal that was %s while the signer ran is begun anew by its next line', async (_, meddle) => {
  const journal = new DiskJournal(dir);
  await journal.append(journalled(1));
  meddle(join(dir, 'journal.jsonl'));
  await journal.append(journalled(2));
  await journal.close();
  expect(readJournalIn(dir)).toEqual([journalled(2)]);
});

test('a journal goes on after a torn line, and reads without it', async () => {
  const first = new DiskJournal(dir);
  await first.append(journalled(1));
  await first.close();
  appendFileSync(join(dir, 'journal.jsonl'), '{"at":"2026-01-01T00:0');
  const second = new DiskJournal(dir);
  await second.append(journalled(2));
  await second.close();
  expect(readJournalIn(dir).map(({ height }) => height)).toEqual([1, 2]);
});

test('a torn line that gets no end, as the disk is full, is continued by no other once there is room', async () => {
  const path = join(dir, 'journal.jsonl');
  let full = true;
  // No disk of a test can be filled to the byte: of the real file, appends alone fail.
  const disk: Disk = {
    ...systemDisk,
    open: async (...args) => {
      const file = await systemDisk.open(...args);
      const refused = () => Promise.reject(new Error('ENOSPC: no space left on device'));
      return new Proxy(file, {
        get: (of, name) => {
          if (name === 'appendFile' && full) return refused;
          const member: unknown = Reflect.get(of, name);
          return typeof member === 'function' ? member.bind(of) : member;
        },
      });
    },
  };
  const journal = new DiskJournal(dir, undefined, disk);
  writeFileSync(path, '{"at":"2026-01-01T00:0');
  await expect(journal.append(journalled(1))).rejects.toThrow('ENOSPC');
  full = false;
  await journal.append(journalled(1));
  await journal.close();
  expect(readJournalIn(dir)).toEqual([journalled(1)]);
});

test('a journal is bounded: full files are rotated, the oldest goes', async () => {
  const journal = new DiskJournal(dir, 600);
  for (let height = 1; height <= 60; height++) await journal.append(journalled(height));
  await journal.close();
  const heights = readJournalIn(dir).map(({ height }) => height);
  expect(heights.at(-1)).toBe(60);
  expect(heights).toEqual(Array.from({ length: heights.length }, (_, index) => 61 - heights.length + index));
  expect(heights.length).toBeLessThan(60);
  expect(existsSync(join(dir, 'journal.9.jsonl'))).toBe(true);
  expect(existsSync(join(dir, 'journal.10.jsonl'))).toBe(false);
});

test('journals that contradict each other are told by position, with who released what', async () => {
  for (const [thing, blockId] of [
    ['demo_a', 'X'],
    ['demo_b', 'Y'],
  ] as const) {
    const journal = new DiskJournal(dir);
    await journal.append(journalled(3, { thing, blockId }));
    await journal.append(journalled(4, { thing }));
    await journal.close();
  }
  expect(compareJournals([dir])).toEqual([
    {
      chainId: 'c',
      height: 3,
      round: 0,
      type: 'precommit',
      released: [
        { blockId: 'X', things: ['demo_a'] },
        { blockId: 'Y', things: ['demo_b'] },
      ],
    },
  ]);
});
