/** A file with a secret in it: read within bounds, and never shown, not even in an error. */

import { readFileSync, statSync } from 'node:fs';
import * as z from 'zod';
import { KeyError } from '../keys/key-error.ts';

/** A Horcrux share of old has an RSA key of 4,096 bits in it. */
const bytesMax = 64 * 1024;

export interface SecretFile {
  path: string;
  mode: number;
  text: string;
}

/** @throws KeyError */
export function readSecret(path: string): SecretFile {
  try {
    const { mode, size } = statSync(path);
    if (size > bytesMax) throw new Error(`it has ${size} bytes`);
    return { path, mode: mode & 0o777, text: readFileSync(path, 'utf8') };
  } catch (error) {
    throw new KeyError(`${path} can't be read as a key: ${(error as Error).message}; check --key`, {
      cause: error,
    });
  }
}

const json = z.record(z.string(), z.unknown());

/** Parses without ever telling what is in the text. */
export function secretJson(text: string): Record<string, unknown> {
  try {
    return json.parse(JSON.parse(text));
  } catch {
    return {};
  }
}
