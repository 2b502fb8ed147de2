import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { kernelRandom, systemRandom } from './clock.ts';

test('chance is read when it is drawn, and not ahead: a clone of this process draws its own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'beam-chance-'));
  const device = join(folder, 'device');
  writeFileSync(device, Buffer.from('aaaabbbbcccc'));
  const random = kernelRandom(device);
  expect(random.hex(4)).toBe(Buffer.from('aaaa').toString('hex'));
  // In the other machine the kernel goes on with something else.
  writeFileSync(device, Buffer.from('xxxxyyyyzzzz'));
  expect(random.hex(4)).toBe(Buffer.from('yyyy').toString('hex'));
  expect(random.hex(4)).toBe(Buffer.from('zzzz').toString('hex'));
  expect(() => random.hex(4)).toThrow('gave 0 of 4 bytes');
  rmSync(folder, { recursive: true });
});

test('the system’s chance is as long as asked for, and never twice the same', () => {
  const drawn = Array.from({ length: 1000 }, () => systemRandom.hex(16));
  expect(new Set(drawn).size).toBe(1000);
  expect(drawn.every((text) => /^[0-9a-f]{32}$/.test(text))).toBe(true);
});
