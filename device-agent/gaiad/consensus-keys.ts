/** Whether a chain home holds the fleet's consensus key: then its node could sign by itself (design, invariant 7). */

import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';

const keyFileBytesMax = 64 * 1024;
const foldersDeepMax = 3;
const filesMax = 2_000;

const keyFile = z.object({ priv_key: z.object({ value: z.string() }) });

/** The consensus address: the first 20 bytes of SHA-256 over the Ed25519 public key, in hex. */
function addressOf(text: string): string | undefined {
  try {
    const parsed = keyFile.safeParse(JSON.parse(text));
    if (!parsed.success) return undefined;
    const key = Buffer.from(parsed.data.priv_key.value, 'base64');
    // Seed and public key, as CometBFT writes them.
    if (key.length !== 64) return undefined;
    return createHash('sha256').update(key.subarray(32)).digest('hex').slice(0, 40).toUpperCase();
  } catch {
    return undefined;
  }
}

async function* smallFiles(folder: string, deep: number): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(folder, entry.name);
    // Databases: many files, and none of them a key.
    if (entry.isDirectory() && deep > 1 && !entry.name.endsWith('.db')) yield* smallFiles(path, deep - 1);
    else if (entry.isFile() || entry.isSymbolicLink()) yield path;
  }
}

/** @returns the file in `home` (or `others`) that holds the key of `address`. */
export async function findConsensusKey(
  home: string,
  others: readonly string[],
  address: string,
): Promise<string | undefined> {
  let files = 0;
  const holdsKey = async (path: string) => {
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile() || found.size > keyFileBytesMax) return false;
    return addressOf(await readFile(path, 'utf8').catch(() => '')) === address;
  };
  for (const path of others) if (await holdsKey(path)) return path;
  for await (const path of smallFiles(home, foldersDeepMax)) {
    files += 1;
    if (files > filesMax) break;
    if (await holdsKey(path)) return path;
  }
  return undefined;
}
