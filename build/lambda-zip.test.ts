import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { unzipSync } from 'fflate';
import { deterministicZip, lambdaZip } from './lambda-zip.js';

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

test("a function's zip is CommonJS below a package of ES modules, too", () => {
  const folder = mkdtempSync(join(tmpdir(), 'beam-zip-'));
  try {
    const unzipped = unzipSync(lambdaZip(files['index.cjs']));
    expect(Object.keys(unzipped).sort()).toEqual(['index.js', 'package.json']);
    const below = mkdtempSync(join(folder, 'code-'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    for (const [name, content] of Object.entries(unzipped)) writeFileSync(join(below, name), content);
    const script = `console.log(typeof require(${JSON.stringify(join(below, 'index'))}).handler)`;
    const said = execFileSync(process.execPath, ['--input-type=commonjs', '-e', script], {
      encoding: 'utf8',
    });
    expect(said.trim()).toBe('function');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
