/**
 * A Lambda's zip, the one that goes to AWS and to the local cloud: the same files give the same bytes on every machine
 * and Node, so that the code's hash tells whether anything changed. (Node's own deflate differs between its versions.)
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zipSync } from 'fflate';

/** The first moment that a zip's dates can tell; fflate reads its local fields, so the time zone does not matter. */
const noTime = new Date(1980, 0, 1);
const unix = 3;
/** Lambda's user must be able to read what it is not the owner of. */
const readableFile = 0o100644 << 16;

/**
 * @param {Record<string, Uint8Array>} files content by name
 * @returns {Uint8Array}
 */
export function deterministicZip(files) {
  const names = Object.keys(files).sort();
  return zipSync(
    Object.fromEntries(
      names.map((name) => [
        name,
        [files[name], { level: 9, mtime: noTime, os: unix, attrs: readableFile >>> 0 }],
      ]),
    ),
  );
}

/** Says what index.js is, wherever the zip is opened: a package.json above it would be asked otherwise. */
const commonJs = Buffer.from('{"type":"commonjs"}\n');

/**
 * A function's zip. In it the code is index.js: AWS finds a handler there and in index.cjs, other engines there alone.
 * @param {Uint8Array} code in CommonJS
 * @returns {Uint8Array}
 */
export function lambdaZip(code) {
  return deterministicZip({ 'index.js': code, 'package.json': commonJs });
}

/**
 * Writes `<folder>/<name>.zip` from `<folder>/<name>/index.cjs`.
 * @param {string} folder
 * @param {string} name
 */
export function writeLambdaZip(folder, name) {
  writeFileSync(join(folder, `${name}.zip`), lambdaZip(readFileSync(join(folder, name, 'index.cjs'))));
}
