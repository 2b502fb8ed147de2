/**
 * `npm run generate [-- reference|protobuf]`: writes what is committed and made from something else; both where nothing is named.
 *
 * - `reference`: docs/reference, from the code's own schemas. A test fails where it is not what the code says.
 * - `protobuf`: signer/privval/gen, from the .proto files beside it. Needs `protoc` (Debian: apt-get install protobuf-compiler).
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

async function reference() {
  const outfile = join(root, 'node_modules/.cache/beam-reference', `main.${process.pid}.mjs`);
  await build({
    absWorkingDir: root,
    entryPoints: ['build/book/reference/main.ts'],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
  });
  process.chdir(root);
  await import(pathToFileURL(outfile).href);
  rmSync(outfile);
  return 0;
}

function protobuf() {
  const protoDir = join(root, 'signer/privval/proto');
  const outDir = join(root, 'signer/privval/gen');
  if (spawnSync('protoc', ['--version']).error) {
    console.error('protoc could not be run: install the protobuf compiler and try again');
    return 1;
  }
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(outDir, { recursive: true });
  const { status } = spawnSync(
    'protoc',
    [
      `--plugin=protoc-gen-es=${join(root, 'node_modules/.bin/protoc-gen-es')}`,
      `--es_out=${outDir}`,
      '--es_opt=target=ts,import_extension=ts',
      `--proto_path=${protoDir}`,
      ...readdirSync(protoDir).filter((name) => name.endsWith('.proto')),
    ],
    { stdio: 'inherit' },
  );
  return status ?? 1;
}

const makers = { reference, protobuf };
const named = process.argv.slice(2);
const unknown = named.filter((name) => !(name in makers));
if (unknown.length > 0) {
  console.error(
    `${unknown.join(', ')}: nothing of that name is generated; give ${Object.keys(makers).join(' or ')}`,
  );
  process.exit(2);
}
for (const name of named.length > 0 ? named : Object.keys(makers)) {
  const status = await makers[name]();
  if (status !== 0) process.exit(status);
}
