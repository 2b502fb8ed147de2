/** npm links the commands of dependencies, not the project's own: `npx beam` should be this checkout. */
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
if (existsSync(join(root, 'cli/main.ts'))) {
  const folder = join(root, 'node_modules/.bin');
  mkdirSync(folder, { recursive: true });
  rmSync(join(folder, 'beam'), { force: true });
  symlinkSync('../../bin/beam.js', join(folder, 'beam'));
  chmodSync(join(root, 'bin/beam.js'), 0o755);
}
