import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { nextPairFolder, switchPair } from './key-pair-folder.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'beam-pair-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('both files change as one, the one before stays, what is older goes, and an unfinished one is found again', () => {
  const files = { certificate: join(folder, 'device.pem.crt'), key: join(folder, 'device.key') };
  const read = () => [readFileSync(files.key, 'utf8'), readFileSync(files.certificate, 'utf8')];
  writeFileSync(files.key, 'key 0');
  writeFileSync(files.certificate, 'certificate 0');
  for (const number of [1, 2, 3]) {
    const next = nextPairFolder(files);
    expect(nextPairFolder(files)).toBe(next);
    writeFileSync(join(next, 'device.key'), `key ${number}`);
    writeFileSync(join(next, 'device.pem.crt'), `certificate ${number}`);
    expect(read()).toEqual([`key ${number - 1}`, `certificate ${number - 1}`]);
    switchPair(files, next);
    expect(read()).toEqual([`key ${number}`, `certificate ${number}`]);
  }
  expect(readdirSync(folder).sort()).toEqual(['current', 'device.key', 'device.pem.crt', 'pair-2', 'pair-3']);
  // One rename moved both: neither is a file of its own any more.
  expect([files.key, files.certificate].map((file) => lstatSync(file).isSymbolicLink())).toEqual([
    true,
    true,
  ]);
  expect(() => nextPairFolder({ ...files, key: '/elsewhere/device.key' })).toThrow(/one folder/);
});
