import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { findCloud } from './cloud-place.ts';
import { CliError, describeError, exitCodeOf, exitCodes } from './errors.ts';

const root = mkdtempSync(join(tmpdir(), 'beam-place-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const ready = {
  ready: true,
  mqtt: 'localhost:8883',
  https: 'https://localhost:8443',
  ca: '/data/ca.pem',
  region: 'local',
  accessKeyId: 'ID',
  secretAccessKey: 'secret',
};

function folder(content?: unknown): string {
  const path = mkdtempSync(join(root, 'x'));
  if (content !== undefined) writeFileSync(join(path, 'local.json'), JSON.stringify(content));
  return path;
}

const local = {
  endpoint: 'https://localhost:8443',
  mqtt: 'localhost:8883',
  ca: '/data/ca.pem',
  region: 'local',
  credentials: { accessKeyId: 'ID', secretAccessKey: 'secret' },
};

test('a local fleet is found by --data, BEAM_LOCAL and in the checkout; AWS is what remains', () => {
  const data = folder(ready);
  const nowhere = { BEAM_CHECKOUT: folder() };
  expect(findCloud({ data }, nowhere)).toMatchObject(local);
  expect(findCloud({}, { ...nowhere, BEAM_LOCAL: data })).toMatchObject(local);
  expect(findCloud({}, { ...nowhere, BEAM_LOCAL: join(data, 'local.json') })).toMatchObject(local);
  expect(findCloud({}, { ...nowhere, AWS_REGION: 'eu-north-1' })).toEqual({
    region: 'eu-north-1',
    name: 'AWS',
  });
  expect(findCloud({ aws: true }, { ...nowhere, BEAM_LOCAL: data }).endpoint).toBeUndefined();
  expect(findCloud({ endpoint: 'https://localhost:1' }, { BEAM_LOCAL: data }).endpoint).toBe(
    'https://localhost:1',
  );
});

test('what was named and is not there is an error that says what to do', () => {
  const empty = folder();
  expect(() => findCloud({ data: empty }, {})).toThrow(/there is no .*local\.json; start the fleet/);
  expect(() => findCloud({ data: folder({ ready: false }) }, {})).toThrow(/not what `beam up` writes/);
  expect(() => findCloud({ endpoint: 'localhost:8443' }, {})).toThrow(/not an address like https/);
  expect(() => findCloud({ endpoint: 'https://localhost:1', ca: join(empty, 'no.pem') }, {})).toThrow(
    /there is no file/,
  );
  expect(() => findCloud({ ca: join(empty, 'ca.pem') }, { BEAM_CHECKOUT: empty })).toThrow(
    /--ca goes with --endpoint/,
  );
});

test("the file system's errors are told with place and remedy", () => {
  const empty = folder();
  const faultOf = (act: () => void) => {
    try {
      act();
    } catch (error) {
      // Inside jest Node's own errors are another realm's.
      const { message, code } = error as NodeJS.ErrnoException;
      return describeError(Object.assign(new Error(message), { code }));
    }
    return 'nothing';
  };
  const file = join(empty, 'file');
  writeFileSync(file, '');
  const nowhere = join(empty, 'nowhere/x');
  expect(faultOf(() => writeFileSync(nowhere, ''))).toMatch(
    /nowhere\/x'; check the name, and that the folder is there$/,
  );
  expect(faultOf(() => readFileSync(empty))).toMatch(/; a folder is where a file is to be: name a file$/);
  expect(faultOf(() => mkdirSync(file))).toMatch(/file'; a file is where a folder is to be: move it away/);
  expect(faultOf(() => mkdirSync(join(file, 'x')))).toMatch(/file\/x'; a file is where a folder is to be/);
  // What this test can't bring about as root, and without a full disk: the same errors, made by hand.
  const made = (code: string) => describeError(Object.assign(new Error(`${code}: open '/x'`), { code }));
  expect(made('EACCES')).toBe(
    "EACCES: open '/x'; this user may not read or write it: run the command as its owner, or change the file's mode",
  );
  expect(made('ENOSPC')).toMatch(/open '\/x'; the disk is full: make room/);
  expect(made('EROFS')).toMatch(/open '\/x'; the disk can only be read: name a place on another/);
});

test('errors name what happened and what to do', () => {
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  expect(describeError(new Error('fetch failed', { cause: refused }), 'https://localhost:1')).toMatch(
    /^https:\/\/localhost:1: nothing listens there \(ECONNREFUSED\)/,
  );
  const aws = Object.assign(new Error('no'), {
    name: 'AccessDeniedException',
    $metadata: { httpStatusCode: 403 },
  });
  expect(describeError(aws)).toBe(
    'AccessDeniedException: no (HTTP 403); these credentials may not do this: see the policy of the user or role',
  );
  const odd = Object.assign(new Error('hm'), { name: 'OddException', $metadata: {} });
  expect(describeError(odd)).toBe('OddException: hm');
  expect(exitCodeOf(new CliError('x', exitCodes.usage))).toBe(2);
  expect(exitCodeOf(Object.assign(new Error('x'), { name: 'ConfigError' }))).toBe(2);
  expect(exitCodeOf(new Error('x'))).toBe(1);
});
