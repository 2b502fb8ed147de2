/** A private key in memory, and as CometBFT's `priv_validator_key.json` (privval/file.go) holds it. */

import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { SigningKey } from '../core/ports.ts';
import { consensusAddress } from '../core/service.ts';
import { type ExpandedKey, expandedBytes, expandedSigningKey } from './expanded.ts';

/** Of a key that has no seed, which no tool but Beam reads in this form. */
export const expandedKeyType = 'beam/PrivKeyEd25519Expanded';
export const seedKeyType = 'tendermint/PrivKeyEd25519';

export type KeyMaterial = { kind: 'seed'; seed: Uint8Array } | { kind: 'expanded'; key: ExpandedKey };

/** What comes before a raw 32-byte seed in PKCS #8. */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

export function signingKeyOf(material: KeyMaterial): SigningKey {
  if (material.kind === 'expanded') return expandedSigningKey(material.key);
  const key = createPrivateKey({
    key: Buffer.concat([pkcs8Prefix, material.seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  return { publicKey, sign: async (bytes) => sign(null, bytes, key) };
}

/** The text of a key file. Holds the key: for a file of mode 0600 alone. */
export function keyFileText(material: KeyMaterial): string {
  const publicKey = Buffer.from(signingKeyOf(material).publicKey);
  const priv_key =
    material.kind === 'seed'
      ? { type: seedKeyType, value: Buffer.concat([material.seed, publicKey]).toString('base64') }
      : { type: expandedKeyType, value: expandedBytes(material.key).toString('base64') };
  const file = {
    address: consensusAddress(publicKey),
    pub_key: { type: 'tendermint/PubKeyEd25519', value: publicKey.toString('base64') },
    priv_key,
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}
