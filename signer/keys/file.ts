/** The consensus key in a file as CometBFT writes it (`priv_validator_key.json`, privval/file.go). */

import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import * as z from 'zod';
import type { SigningKey } from '../core/ports.ts';

export class KeyError extends Error {
  override readonly name = 'KeyError';
}

const keyFile = z.object({
  pub_key: z.object({ type: z.string(), value: z.string() }).optional(),
  priv_key: z.object({ type: z.string(), value: z.string() }),
});

/** What comes before a raw 32-byte seed in PKCS #8. */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** @throws KeyError: what is wrong with the file, and what to do. Never shows what is in it. */
export function loadKeyFile(path: string): SigningKey {
  const { mode } = readable(path, () => statSync(path));
  if (mode & 0o077) {
    throw new KeyError(
      `${path} has mode ${(mode & 0o777).toString(8)}: others than its owner may use the consensus key; chmod 600 it`,
    );
  }
  const parsed = keyFile.safeParse(parseJson(readable(path, () => readFileSync(path, 'utf8'))));
  if (!parsed.success) {
    throw new KeyError(`${path} is not a priv_validator_key.json of CometBFT; point [signer] key at one`);
  }
  const { priv_key, pub_key } = parsed.data;
  if (priv_key.type !== 'tendermint/PrivKeyEd25519') {
    throw new KeyError(
      `${path} holds a key of type ${priv_key.type}; Beam signs with Ed25519 alone (tendermint/PrivKeyEd25519), as Cosmos validators do`,
    );
  }
  const raw = Buffer.from(priv_key.value, 'base64');
  if (raw.length !== 64) {
    throw new KeyError(
      `${path} holds a key of ${raw.length} bytes in place of 64; it is damaged: restore it`,
    );
  }
  const key = createPrivateKey({
    key: Buffer.concat([pkcs8Prefix, raw.subarray(0, 32)]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  const told = pub_key ? Buffer.from(pub_key.value, 'base64') : raw.subarray(32);
  if (!publicKey.equals(raw.subarray(32)) || !publicKey.equals(told)) {
    throw new KeyError(
      `${path} holds a private key that does not belong to its public key; it is damaged: restore it`,
    );
  }
  return { publicKey, sign: async (bytes) => sign(null, bytes, key) };
}

function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new KeyError(
      `the consensus key can't be read: ${(error as Error).message}; check [signer] key (${path})`,
      {
        cause: error,
      },
    );
  }
}

/** The parser's own message would show a part of the key. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
