/** Runs jest on ES modules; `node build/test.js [unit|e2e] [jest's own arguments…]`. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { currentBundles, root } from './bundle.js';

const [first, ...rest] = process.argv.slice(2);
const part = first === 'unit' || first === 'e2e' ? first : undefined;
const others = part === undefined && first !== undefined ? [first, ...rest] : rest;
const BEAM_BUNDLES = part === 'unit' ? '' : await currentBundles();

const twoFiles = '--maxWorkers=2';
const oneFile = '--runInBand';

/** One run of jest. A unit test waits for less than a fleet does. */
function jest(how, ...projects) {
  const testTimeoutMs = projects.every((name) => name === 'unit') ? 30_000 : 120_000;
  return (
    spawnSync(
      process.execPath,
      [
        '--experimental-vm-modules',
        '--no-warnings',
        join(root, 'node_modules/jest/bin/jest.js'),
        '--selectProjects',
        ...projects,
        how,
        `--testTimeout=${testTimeoutMs}`,
        ...others,
      ],
      {
        cwd: root,
        stdio: 'inherit',
        env: { ...process.env, BEAM_BUNDLES },
      },
    ).status ?? 1
  );
}

/** What waits and what computes share two cores well; `quiet` (jest.config.js) has them to itself. */
function runs() {
  if (part === 'unit') return [[twoFiles, 'unit']];
  const anyTime = part === 'e2e' ? ['e2e'] : ['unit', 'e2e'];
  // With arguments (a file's name, for instance) all is one run: either half of it might have nothing to do, which is an error.
  if (others.length > 0) return [[oneFile, ...anyTime, 'quiet']];
  return [
    [twoFiles, ...anyTime],
    [oneFile, 'quiet'],
  ];
}

const statuses = runs().map(([how, ...projects]) => jest(how, ...projects));
process.exit(statuses.every((status) => status === 0) ? 0 : 1);
