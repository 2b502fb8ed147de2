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

/**
 * Writes `<folder>/<name>.zip` from `<folder>/<name>/index.cjs`.
 * @param {string} folder
 * @param {string} name
 */
export function writeLambdaZip(folder, name) {
  const code = readFileSync(join(folder, name, 'index.cjs'));
  writeFileSync(join(folder, `${name}.zip`), deterministicZip({ 'index.cjs': code }));
}
