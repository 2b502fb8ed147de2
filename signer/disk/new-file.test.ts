import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createDurably } from './new-file.ts';

const rounds = 60;
const bytes = 200_000;

test('of two that make one file at the same time, none is told that it did while the file holds the other’s', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'beam-new-file-'));
  try {
    for (let round = 0; round < rounds; round++) {
      const path = join(folder, String(round));
      const texts = ['a'.repeat(bytes), 'b'.repeat(bytes)] as const;
      const first = createDurably(path, texts[0]);
      // Each round the second one comes at another step of the first.
      for (let turns = 0; turns < round; turns++) await new Promise(setImmediate);
      const outcomes = await Promise.allSettled([first, createDurably(path, texts[1])]);
      for (const [index, { status }] of outcomes.entries())
        if (status === 'fulfilled') expect(readFileSync(path, 'utf8') === texts[index]).toBe(true);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
