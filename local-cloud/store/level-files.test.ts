import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ClassicLevel } from 'classic-level';
import { crc32c } from './crc32c.ts';
import { levelFaults } from './level-files.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'beam-level-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

async function fill(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const level = new ClassicLevel<string, string>(dir);
    await level.open();
    const value = (n: number) => JSON.stringify({ n, round, text: 'what repeats is packed; '.repeat(40) });
    for (let n = 0; n < 300; n++) await level.put(`key-${n}`, value(n));
    await level.close();
  }
}

const ending = (end: string) => readdirSync(dir).find((name) => name.endsWith(end)) ?? '';

test('CRC-32C has the check value of its catalogue', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
});

test('a flipped byte anywhere in a table, a log or the manifest is found; whole files and a cut end of the log are not', async () => {
  // A second start makes a table of the first one's log.
  await fill(2);
  expect(await levelFaults(dir, false)).toEqual([]);
  for (const file of [ending('.ldb'), ending('.log'), ending('MANIFEST') || manifest()]) {
    const path = join(dir, file);
    const whole = readFileSync(path);
    expect(whole.length).toBeGreaterThan(50);
    let missed = 0;
    // Of a table's padding nothing depends: 40 bytes for two handles are more than they need.
    for (let at = 0; at < whole.length; at += 1 + Math.floor(whole.length / 60)) {
      const isPadding = file.endsWith('.ldb') && at > whole.length - 48 && at < whole.length - 8;
      if (isPadding) continue;
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] as number) ^ 0x10;
      writeFileSync(path, flipped);
      const faults = await levelFaults(dir, false);
      if (faults.length === 0) missed++;
      else expect([at, faults.map((fault) => fault.file)]).toEqual([at, [file]]);
    }
    writeFileSync(path, whole);
    // A length that now points behind the end of a log looks like an end that was cut off.
    expect(missed).toBeLessThanOrEqual(file.endsWith('.ldb') ? 0 : 2);
  }
  const log = join(dir, ending('.log'));
  writeFileSync(log, readFileSync(log).subarray(0, -5));
  expect(await levelFaults(dir, false)).toEqual([]);
});

function manifest(): string {
  return readdirSync(dir).find((name) => name.startsWith('MANIFEST')) ?? '';
}
