import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { mutants } from './mutants.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

test('each mutant takes away something that is there, once, and has a name of its own', () => {
  const astray = mutants.flatMap(({ name, edits }) =>
    edits
      .filter(({ file, find }) => readFileSync(join(root, file), 'utf8').split(find).length !== 2)
      .map(({ file, find }) => `${name}: ${file} has not once: ${find}`),
  );
  expect(astray).toEqual([]);
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  expect(mutants.length).toBeGreaterThanOrEqual(20);
});
