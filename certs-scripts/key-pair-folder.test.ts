import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ensureDeviceKey } from './device-key.ts';
import { nextPairFolder, switchPair } from './key-pair-folder.ts';
import { writeServersOwn } from './write-whole.ts';

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

test.each([
  ["of the package, shared with the group for the signer's credentials", 0o2750, '2750', '640'],
  ["of one's own: nobody else reads them", 0o700, '700', '600'],
])('key and certificate in a folder %s, before and after a renewal', (_what, mode, folderMode, fileMode) => {
  chmodSync(folder, mode);
  const files = { certificate: join(folder, 'device.pem.crt'), key: join(folder, 'device.key') };
  const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);
  const modes = () => [files.key, files.certificate].map(modeOf);
  ensureDeviceKey(files.key);
  writeServersOwn(files.certificate, 'certificate 0');
  expect(modes()).toEqual([fileMode, fileMode]);
  const next = nextPairFolder(files);
  ensureDeviceKey(join(next, 'device.key'));
  writeServersOwn(join(next, 'device.pem.crt'), 'certificate 1');
  switchPair(files, next);
  expect([...modes(), modeOf(next), modeOf(join(folder, 'pair-0'))]).toEqual([
    fileMode,
    fileMode,
    folderMode,
    folderMode,
  ]);
});
