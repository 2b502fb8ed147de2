/** The consensus key in a file as CometBFT writes it (`priv_validator_key.json`, privval/file.go). */

import * as z from 'zod';
import { expandedKey } from './expanded.ts';
import { KeyError, otherKeyType } from './key-error.ts';
import { parseKeyJson } from './key-file.ts';
import { expandedKeyType, type KeyMaterial, seedKeyType, signingKeyOf } from './key-material.ts';

const keyFile = z.object({
  pub_key: z.object({ type: z.string(), value: z.string() }).optional(),
  priv_key: z.object({ type: z.string(), value: z.string() }),
});
type KeyFile = z.infer<typeof keyFile>;

/**
 * @param path for the error alone
 * @throws KeyError: what is wrong with the file, and what to do. Never shows what is in it.
 */
export function parseKeyFile(path: string, text: string): KeyMaterial {
  const parsed = keyFile.safeParse(parseKeyJson(text));
  if (!parsed.success) {
    throw new KeyError(
      `${path} is not a priv_validator_key.json of CometBFT, nor a key that beam signer encrypt-key made; give the path of one`,
    );
  }
  return parsed.data.priv_key.type === expandedKeyType
    ? expandedIn(path, parsed.data)
    : seedIn(path, parsed.data);
}

function seedIn(path: string, { priv_key, pub_key }: KeyFile): KeyMaterial {
  if (priv_key.type !== seedKeyType) throw otherKeyType(path, priv_key.type);
  const raw = Buffer.from(priv_key.value, 'base64');
  if (raw.length !== 64) {
    throw new KeyError(
      `${path} holds a key of ${raw.length} bytes in place of 64; it is damaged: restore it`,
    );
  }
  const material: KeyMaterial = { kind: 'seed', seed: raw.subarray(0, 32) };
  const { publicKey } = signingKeyOf(material);
  const told = pub_key ? Buffer.from(pub_key.value, 'base64') : raw.subarray(32);
  if (!raw.subarray(32).equals(publicKey) || !told.equals(publicKey)) throw notItsPublicKey(path);
  return material;
}

function expandedIn(path: string, { priv_key, pub_key }: KeyFile): KeyMaterial {
  let material: KeyMaterial;
  try {
    material = { kind: 'expanded', key: expandedKey(Buffer.from(priv_key.value, 'base64')) };
  } catch (error) {
    throw new KeyError(`${path} holds no expanded Ed25519 key; it is damaged: import it again`, {
      cause: error,
    });
  }
  // Nothing in the key itself tells whose it is.
  if (!pub_key || !Buffer.from(pub_key.value, 'base64').equals(signingKeyOf(material).publicKey)) {
    throw notItsPublicKey(path);
  }
  return material;
}

function notItsPublicKey(path: string): KeyError {
  return new KeyError(
    `${path} holds a private key that does not belong to its public key; it is damaged: restore it`,
  );
}
