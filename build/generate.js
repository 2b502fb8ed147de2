/**
 * Generates signer/privval/gen from the .proto files beside it. Only for who changes those: the output is committed.
 * Needs `protoc` (Debian: apt-get install protobuf-compiler).
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const protoDir = join(root, 'signer/privval/proto');
const outDir = join(root, 'signer/privval/gen');

rmSync(outDir, { recursive: true, force: true });
mkdirSync(outDir, { recursive: true });
const { status, error } = spawnSync(
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
if (error)
  console.error(`protoc could not be run (${error.message}): install the protobuf compiler and try again`);
process.exit(status ?? 1);
