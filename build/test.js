/** Runs jest on ES modules; `node build/test.js [unit|e2e] [jest's own arguments…]`. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { currentBundles, root } from './bundle.js';

const [first, ...rest] = process.argv.slice(2);
const project = first === 'unit' || first === 'e2e' ? first : undefined;
const others = project === undefined && first !== undefined ? [first, ...rest] : rest;
const BEAM_BUNDLES = project === 'unit' ? '' : await currentBundles();

/** Real fleets share two cores badly: their tests go one after the other. */
function jest(name) {
  const args = [
    '--selectProjects',
    name,
    ...(name === 'e2e' ? ['--runInBand', '--testTimeout=120000'] : ['--maxWorkers=2', '--testTimeout=30000']),
    ...others,
  ];
  return (
    spawnSync(
      process.execPath,
      ['--experimental-vm-modules', '--no-warnings', join(root, 'node_modules/jest/bin/jest.js'), ...args],
      {
        cwd: root,
        stdio: 'inherit',
        env: { ...process.env, BEAM_BUNDLES },
      },
    ).status ?? 1
  );
}

const statuses = (project ? [project] : ['unit', 'e2e']).map(jest);
process.exit(statuses.every((status) => status === 0) ? 0 : 1);
