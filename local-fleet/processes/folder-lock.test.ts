import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { FolderInUseError, lockFolder } from './folder-lock.ts';

const root = mkdtempSync(join(tmpdir(), 'beam-lock-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('a folder is given to one at a time, and again after it was given back', () => {
  const data = mkdtempSync(join(root, 'x'));
  const unlock = lockFolder(data);
  expect(() => lockFolder(data)).toThrow(FolderInUseError);
  expect(() => lockFolder(data)).toThrow(/process \d+.*--data/);
  unlock();
  lockFolder(data)();
});

test('the lock of a process that was killed is taken over', () => {
  const data = mkdtempSync(join(root, 'x'));
  writeFileSync(join(data, 'beam-up.pid'), JSON.stringify({ pid: process.pid, startTime: 'long ago' }));
  lockFolder(data)();
});
