import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkCertificateFiles } from '../protocol/certificates.ts';
import { issueFromCsr, makeAuthority } from './ca.ts';
import { createCsr } from './csr.ts';
import { ensureDeviceKey, makeDeviceKey } from './device-key.ts';

const dayMs = 24 * 3600 * 1000;
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'beam-certs-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function device(validity?: { days: number; from: number }) {
  const authority = await makeAuthority('test CA');
  const files = {
    certificate: join(folder, 'device.pem'),
    key: join(folder, 'device.key'),
    ca: join(folder, 'ca.pem'),
  };
  const csr = await createCsr(ensureDeviceKey(files.key), 'demo_a');
  writeFileSync(files.certificate, await issueFromCsr(authority, csr, validity));
  writeFileSync(files.ca, authority.certificatePem);
  return files;
}

test('a key is made once, for its owner alone, and never replaced', async () => {
  const path = join(folder, 'device.key');
  const pem = ensureDeviceKey(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(ensureDeviceKey(path)).toBe(pem);
  writeFileSync(path, 'not a key');
  expect(() => ensureDeviceKey(path)).toThrow(/device\.key is no private key in PEM/);
  expect(readFileSync(path, 'utf8')).toBe('not a key');
});

test('key, request and certificate of a device fit together', async () => {
  const files = await device();
  expect(checkCertificateFiles(files, Date.now()).validToMs).toBeGreaterThan(Date.now() + 300 * dayMs);
});

test('a request that another key signed is refused', async () => {
  const authority = await makeAuthority('test CA');
  const csr = await createCsr(makeDeviceKey(), 'demo_a');
  const lines = csr.split('\n');
  const body = lines[lines.length - 3] ?? '';
  // Another signature: the last bytes changed, the structure as it was.
  const changed = csr.replace(body, `${body.slice(0, 8)}${body[8] === 'A' ? 'B' : 'A'}${body.slice(9)}`);
  await expect(issueFromCsr(authority, changed)).rejects.toThrow();
});

test('what is wrong with a file is said by its name, with the remedy', async () => {
  const files = await device();
  const check =
    (change: Partial<typeof files>, now = Date.now()) =>
    () =>
      checkCertificateFiles({ ...files, ...change }, now);
  expect(check({ certificate: join(folder, 'none.pem') })).toThrow(/none\.pem is not there; register/);
  expect(check({}, Date.now() + 400 * dayMs)).toThrow(/device\.pem expired on .*register this server anew/);
  expect(check({}, Date.now() - 2 * dayMs)).toThrow(/clock may be wrong/);

  const other = join(folder, 'other.key');
  ensureDeviceKey(other);
  expect(check({ key: other })).toThrow(/other\.key is not the key of .*device\.pem/);

  writeFileSync(join(folder, 'broken.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  expect(check({ certificate: join(folder, 'broken.pem') })).toThrow(/broken\.pem is no certificate in PEM/);
  expect(check({ ca: join(folder, 'broken.pem') })).toThrow(/broken\.pem is no certificate in PEM/);
  expect(check({ key: join(folder, 'broken.pem') })).toThrow(/broken\.pem is no private key in PEM/);
});
