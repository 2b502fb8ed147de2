/**
 * Bundles the checkout's own TypeScript into an entry a process with shared chunks, in a folder named by the sources' state,
 * so that `npx beam` always runs the code that is here now and never rewrites a bundle that a running
 * pilot or signer was started from.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lambdaBuild, lambdaNames } from './lambda-bundles.js';
import { writeLambdaZip } from './lambda-zip.js';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Folders whose sources end up in a bundle. */
const sourceFolders = [
  'protocol',
  'dynamodb',
  'signer',
  'device-agent',
  'lambdas',
  'cloud-rules',
  'operator',
  'certs-scripts',
  'local-cloud',
  'local-chain',
  'local-fleet',
  'cli',
  'build',
];

/** One entry a process: `<name>.js` in the bundle folder. */
export const processEntries = {
  beam: 'cli/main.ts',
  pilot: 'device-agent/main.ts',
  signer: 'signer/main.ts',
  'local-cloud': 'local-cloud/main.ts',
  'lambda-host': 'local-cloud/lambda/host-main.ts',
  'stand-in-chain': 'local-chain/main.ts',
};

/** Packages that bring native binaries, or data files beside their code: left to Node's own resolution. */
const external = ['aws-crt', 'lmdb', 'classic-level', 'dynalite', 'pino-pretty', 'esbuild'];

function* sourceFiles(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sourceFiles(path);
    else if (/\.(ts|js|json)$/.test(entry.name) && !entry.name.endsWith('.test.ts')) yield path;
  }
}

/** A digest of every source's path, size and modification time. */
function sourceState() {
  const hash = createHash('sha256');
  for (const folder of sourceFolders) {
    for (const path of sourceFiles(join(root, folder))) {
      const { mtimeMs, size } = statSync(path);
      hash.update(`${path}\0${mtimeMs}\0${size}\n`);
    }
  }
  for (const file of ['package.json', 'package-lock.json']) {
    hash.update(`${file}\0${existsSync(join(root, file)) ? statSync(join(root, file)).mtimeMs : 0}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

/** esbuild's options for everything that is bundled to `outdir`. */
export function bundleOptions(outdir) {
  return {
    absWorkingDir: root,
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node20',
    mainFields: ['module', 'main'],
    sourcemap: 'linked',
    logLevel: 'warning',
    legalComments: 'none',
    loader: { '.proto': 'text' },
  };
}

/** ESM output needs `require` for the CommonJS packages inside the bundle. */
const banner = {
  js:
    "import { createRequire as __beamCreateRequire } from 'node:module'; const require = __beamCreateRequire(import.meta.url);" +
    "const __filename = (await import('node:url')).fileURLToPath(import.meta.url); const __dirname = (await import('node:path')).dirname(__filename);",
};

/**
 * Writes the bundles of these processes to `outDir`.
 * @param {string} outDir
 * @param {string[]} names of `processEntries`
 * @returns {Promise<string[]>} the sources in them, relative to the checkout
 */
export async function bundleProcesses(outDir, names) {
  const { build } = await import('esbuild');
  const { metafile } = await build({
    ...bundleOptions(outDir),
    entryPoints: Object.fromEntries(names.map((name) => [name, processEntries[name]])),
    format: 'esm',
    external,
    banner,
    metafile: true,
    // A command loads only what it uses: in one file every external import would be loaded at once.
    splitting: true,
  });
  writeFileSync(join(outDir, 'package.json'), '{"type":"module"}\n');
  return Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));
}

/**
 * Writes all bundles, and the Lambda functions' zips beside them, to `outDir`.
 * @param {string} outDir
 */
export async function bundle(outDir) {
  const { build } = await import('esbuild');
  await Promise.all([
    bundleProcesses(outDir, Object.keys(processEntries)),
    // A Lambda's bundle stands alone: nothing external but Node itself.
    build({ ...bundleOptions(outDir), ...lambdaBuild(root) }),
  ]);
  for (const { name } of lambdaNames(root)) writeLambdaZip(join(outDir, 'lambdas'), name);
}

/** Bundle folders unused for this long are removed. */
const keepMs = 24 * 3600 * 1000;

/** @returns {Promise<string>} the folder of bundles that match the sources as they are now, built if need be. */
export async function currentBundles() {
  const cache = join(root, 'node_modules/.cache/beam');
  const dir = join(cache, sourceState());
  if (existsSync(dir)) {
    utimesSync(dir, new Date(), new Date());
    return dir;
  }
  mkdirSync(cache, { recursive: true });
  const temporary = `${dir}.${process.pid}.tmp`;
  await bundle(temporary);
  try {
    renameSync(temporary, dir);
  } catch (error) {
    // Another process built the same state first.
    if (!existsSync(dir)) throw error;
    rmSync(temporary, { recursive: true, force: true });
  }
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (path !== dir && Date.now() - statSync(path).mtimeMs > keepMs)
      rmSync(path, { recursive: true, force: true });
  }
  return dir;
}
