/** A file that holds a consensus key: what it must be before anything in it is looked at. */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { KeyError } from './key-error.ts';

/** CometBFT's has some 350 bytes. */
const keyFileBytesMax = 16 * 1024;

/** @throws KeyError: not there, no file, too large, or open to others than its owner */
export function readKeyFile(path: string): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw new KeyError(
      `the consensus key can't be read: ${(error as Error).message}; check [signer] key (${path})`,
      { cause: error },
    );
  }
  try {
    const found = fstatSync(file);
    if (!found.isFile()) throw new KeyError(`${path} is no file; point [signer] key at the consensus key's`);
    if (found.mode & 0o077) {
      throw new KeyError(
        `${path} has mode ${(found.mode & 0o777).toString(8)}: others than its owner may use the consensus key; chmod 600 it`,
      );
    }
    const bytes = Buffer.alloc(keyFileBytesMax + 1);
    const read = readSync(file, bytes, 0, bytes.length, 0);
    if (read > keyFileBytesMax) {
      throw new KeyError(
        `${path} has more than ${keyFileBytesMax} bytes, so it is no key; point [signer] key at one`,
      );
    }
    return bytes.toString('utf8', 0, read);
  } finally {
    closeSync(file);
  }
}

/** The parser's own message would show a part of the key. */
export function parseKeyJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
