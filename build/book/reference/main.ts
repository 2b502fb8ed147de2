/** Writes docs/reference from the code: `npm run generate -- reference`. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { referencePages } from './pages.ts';

const root = resolve('.');
for (const [path, text] of Object.entries(referencePages(root))) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  process.stdout.write(`${path}\n`);
}
