import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { peerVersions } from './engines/peers.ts';
import { skipped } from './engines/skipped.ts';

test('docs/aws.md names what is skipped on the engines that are not ours, at the versions that are pinned', () => {
  const text = readFileSync(new URL('../docs/aws.md', import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| '));
  const missing = Object.values(skipped)
    .flat()
    .filter(({ name }) => !rows.some((row) => row.split('|')[2]?.trim() === name));
  expect(missing).toEqual([]);
  expect(text).toContain(`MiniStack ${peerVersions.ministack}`);
  expect(text).toContain(`moto ${peerVersions.moto}`);
});
