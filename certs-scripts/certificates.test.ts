import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkCertificateFiles } from '../protocol/certificates.ts';
import { issueFromCsr, makeAuthority } from './ca.ts';
import { checkChain } from './check-chain.ts';
import { createCsr } from './csr.ts';
import { ensureDeviceKey, makeDeviceKey } from './device-key.ts';
import { type RevokedCertificate, readRevocations, revokeIssued } from './revocation-list.ts';

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

test('a certificate ends with what is above it at the latest', async () => {
  const root = await makeAuthority('root', { days: 20 });
  const authority = await makeAuthority('devices', { days: 30, issuer: root });
  const csr = await createCsr(makeDeviceKey(), 'demo_a');
  const endOf = (pem: string) => new X509Certificate(pem).validTo;
  expect(endOf(await issueFromCsr(authority, csr, { days: 365 }))).toBe(endOf(root.certificatePem));
  expect(Date.parse(endOf(await issueFromCsr(authority, csr, { days: 5 })))).toBeLessThan(
    Date.now() + 6 * dayMs,
  );
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

test('a chain of authorities holds link by link, in time, until its list says otherwise', async () => {
  const root = await makeAuthority('root');
  const devices = await makeAuthority('devices', { issuer: root, days: 9_999 });
  const chainPem = devices.certificatePem + root.certificatePem;
  const key = makeDeviceKey();
  const subject = { commonName: 'demo_a', organizationalUnit: 'sentry' };
  const csr = await createCsr(key, 'somebody');
  const issued = await issueFromCsr(devices, csr, { subject });
  const other = await issueFromCsr(devices, csr);
  expect(new X509Certificate(issued).subject).toBe('OU=sentry\nCN=demo_a');
  const nowMs = Date.now();
  const faults = (certificate: string, chain: string, now = nowMs, revoked: RevokedCertificate[] = []) =>
    checkChain(certificate, chain, { nowMs: now, revoked }).faults;
  expect(faults(issued, chainPem)).toEqual([]);
  // No longer than the root, whatever was asked for.
  const end = (pem: string) => Date.parse(new X509Certificate(pem).validTo);
  expect(end(devices.certificatePem)).toBe(end(root.certificatePem));
  expect(faults(issued, chainPem, nowMs + 366 * dayMs)).toEqual([
    expect.stringMatching(/CN=demo_a expired .* issue it anew/),
  ]);
  expect(faults(issued, root.certificatePem)).toEqual([
    expect.stringMatching(/demo_a is not signed by CN=root/),
  ]);
  // The names alone prove nothing.
  const forged = await issueFromCsr({ ...devices, privateKeyPem: makeDeviceKey() }, csr);
  expect(faults(forged, chainPem)).toEqual([expect.stringMatching(/is not signed by CN=devices/)]);

  const first = await revokeIssued(devices, issued, { before: undefined, nowMs });
  const list = await revokeIssued(devices, other, { before: first, nowMs });
  const revoked = await readRevocations(list, devices.certificatePem);
  expect(revoked).toHaveLength(2);
  expect(faults(issued, chainPem, nowMs, revoked)).toEqual([expect.stringMatching(/was revoked/)]);
  await expect(readRevocations(list, root.certificatePem)).rejects.toThrow(/not signed by this authority/);
  await expect(revokeIssued(root, issued, { before: undefined, nowMs })).rejects.toThrow(/its own alone/);
});
