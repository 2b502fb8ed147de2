import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openCredentials } from './credentials.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'beam-credentials-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('made once: CA, a server certificate for localhost, an access key; secrets for their owner alone', async () => {
  const made = await openCredentials(folder, []);
  const again = await openCredentials(folder, []);
  expect(again).toMatchObject({ server: made.server, secretAccessKey: made.secretAccessKey });
  const certificate = new X509Certificate(made.server.certificatePem);
  expect(certificate.checkIssued(new X509Certificate(readFileSync(made.caPath)))).toBe(true);
  expect(certificate.checkHost('localhost')).toBe('localhost');
  for (const address of ['127.0.0.1', '::1']) expect(certificate.checkIP(address)).toBeDefined();
  for (const name of ['ca-key.pem', 'server-key.pem', 'access-key.json']) {
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  }
});

test('a new host gets a new server certificate of the same CA', async () => {
  const before = await openCredentials(folder, []);
  const after = await openCredentials(folder, ['cloud.example', '10.0.0.7']);
  const certificate = new X509Certificate(after.server.certificatePem);
  expect(certificate.checkHost('cloud.example')).toBe('cloud.example');
  expect(certificate.checkIP('10.0.0.7')).toBe('10.0.0.7');
  expect(after.server.certificatePem).not.toBe(before.server.certificatePem);
  expect(certificate.checkIssued(new X509Certificate(readFileSync(before.caPath)))).toBe(true);
});

test('a broken file is named, with what to do', async () => {
  await openCredentials(folder, []);
  const break_ = (name: string, text: string) => {
    const before = readFileSync(join(folder, name), 'utf8');
    writeFileSync(join(folder, name), text);
    return () => writeFileSync(join(folder, name), before);
  };
  for (const [name, message] of [
    ['ca.pem', /ca\.pem .* is broken .*Put both back/s],
    ['server-key.pem', /server-key\.pem is broken .*Delete both/s],
    ['access-key.json', /access-key\.json is not the local cloud's access key\. Delete it/],
  ] as const) {
    const mend = break_(name, 'nonsense');
    await expect(openCredentials(folder, [])).rejects.toThrow(message);
    mend();
  }
  const mend = break_('ca-key.pem', readFileSync(join(folder, 'server-key.pem'), 'utf8'));
  await expect(openCredentials(folder, [])).rejects.toThrow(/ca-key\.pem is not the key of .*ca\.pem/);
  mend();
  await openCredentials(folder, []);
});
