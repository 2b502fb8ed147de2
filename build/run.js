/**
 * `node build/run.js ENTRY.ts [arguments…]`: runs a program of the checkout that is not part of the distributable (a soak,
 * a benchmark) as the drills run: bundled, beside the bundles of the code as it is now.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { currentBundles, root } from './bundle.js';

const [entry, ...rest] = process.argv.slice(2);
if (entry === undefined) {
  console.error('usage: node build/run.js ENTRY.ts [arguments…]');
  process.exit(2);
}
process.env.BEAM_CHECKOUT = root;
process.env.BEAM_BUNDLES = await currentBundles();
const folder = join(root, 'node_modules/.cache/beam-run');
mkdirSync(folder, { recursive: true });
// One file a run: another that is under way keeps its own.
const outfile = join(folder, `${basename(entry, '.ts')}.${process.pid}.mjs`);
const { build } = await import('esbuild');
await build({
  absWorkingDir: root,
  entryPoints: [resolve(entry)],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  sourcemap: 'inline',
  logLevel: 'warning',
});
process.argv.splice(1, process.argv.length, entry, ...rest);
process.on('exit', () => rmSync(outfile, { force: true }));
await import(pathToFileURL(outfile).href);
