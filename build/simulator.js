/** Bundles the simulator into a folder of its own: `main.js`, `worker.js`, and `trial.js` with the code of the product in it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build } from 'esbuild';
import { root } from './bundle.js';

/** Chance and time that no seed decides. */
const ofTheMachine = /\bMath\.random\b|\b(?:Date|performance)\.now\(\)/;

const cache = join(root, 'node_modules/.cache/beam-simulator');

/**
 * @param {Record<string, string>} entries bundle's name → source
 * @param {string} outDir
 * @param {{ file: string, find: string, replace: string }[]} edits made to the sources on their way into the bundle
 */
export async function bundleSimulator(entries, outDir, edits = []) {
  const files = new Map();
  for (const edit of edits)
    files.set(join(root, edit.file), [...(files.get(join(root, edit.file)) ?? []), edit]);
  const used = new Set();
  await build({
    entryPoints: Object.entries(entries).map(([out, source]) => ({ in: join(root, source), out })),
    outdir: outDir,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    plugins: [
      {
        name: 'edits',
        setup({ onLoad }) {
          onLoad({ filter: /\.ts$/ }, ({ path }) => {
            const mine = files.get(path);
            if (!mine) return undefined;
            let contents = readFileSync(path, 'utf8');
            for (const { find, replace } of mine) {
              // Text that is not there, or there twice, is a mutant of nothing.
              if (contents.split(find).length !== 2) {
                throw new Error(`${relative(root, path)} must have this text once: ${find}`);
              }
              contents = contents.replace(find, () => replace);
            }
            used.add(path);
            return { contents, loader: 'ts' };
          });
        },
      },
    ],
  });
  for (const path of files.keys()) {
    if (!used.has(path)) throw new Error(`${relative(root, path)} is not among what the simulator runs`);
  }
  if (entries.trial === undefined) return;
  const [foreign] = ofTheMachine.exec(readFileSync(join(outDir, 'trial.js'), 'utf8')) ?? [];
  if (foreign !== undefined)
    throw new Error(
      `${foreign} is in what the simulator runs: the same seed would not do the same; make it a parameter`,
    );
}

/** A folder for one run: two at once never share. */
export function simulatorFolder() {
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'run-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const simulatorEntries = {
  main: 'simulator/main.ts',
  worker: 'simulator/worker.ts',
  trial: 'simulator/trial.ts',
};
