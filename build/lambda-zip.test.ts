import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { unzipSync } from 'fflate';
import { deterministicZip } from './lambda-zip.js';

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const files = { 'index.cjs': Buffer.from('exports.handler = async () => 1;'), 'a.json': Buffer.from('{}') };

test('the same files give the same zip, in any order and time zone', () => {
  const zip = deterministicZip(files);
  const { 'a.json': a, 'index.cjs': index } = files;
  expect(hash(deterministicZip({ 'index.cjs': index, 'a.json': a }))).toBe(hash(zip));
  const script = `import { deterministicZip } from ${JSON.stringify(fileURLToPath(new URL('./lambda-zip.js', import.meta.url)))};
    process.stdout.write(deterministicZip({ 'index.cjs': Buffer.from(${JSON.stringify(index.toString())}), 'a.json': Buffer.from('{}') }));`;
  const elsewhere = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { TZ: 'Pacific/Kiritimati' },
  });
  expect(hash(elsewhere)).toBe(hash(zip));
  expect(Buffer.from(unzipSync(zip)['index.cjs'] ?? []).toString()).toBe(index.toString());
});

test('other code gives another zip', () => {
  expect(hash(deterministicZip({ 'index.cjs': Buffer.from('1') }))).not.toBe(hash(deterministicZip(files)));
});
