/** A node's p2p id: the address of the key in its node_key.json (CometBFT p2p/key.go). */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';

const nodeKey = z.object({ priv_key: z.object({ value: z.string() }) });

/** @returns undefined where the home has none yet. */
export async function nodeIdOf(home: string): Promise<string | undefined> {
  try {
    const { priv_key } = nodeKey.parse(
      JSON.parse(await readFile(join(home, 'config/node_key.json'), 'utf8')),
    );
    const publicKey = Buffer.from(priv_key.value, 'base64').subarray(32);
    return createHash('sha256').update(publicKey).digest('hex').slice(0, 40);
  } catch {
    return undefined;
  }
}
