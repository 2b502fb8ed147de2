/** Ed25519 keys, node ids and validator addresses as CometBFT writes them. */

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import * as z from 'zod';

const seedBytes = 32;
const publicKeyBytes = 32;
/** What stands before a raw seed in PKCS #8, and before a raw public key in SPKI (RFC 8410). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

export const privateKeyType = 'tendermint/PrivKeyEd25519';
export const publicKeyType = 'tendermint/PubKeyEd25519';

export interface KeyPair {
  seed: Buffer;
  publicKey: Buffer;
  privateKey: KeyObject;
}

export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  if (seed.length !== seedBytes)
    throw new Error(`an Ed25519 seed has ${seedBytes} bytes, not ${seed.length}`);
  const privateKey = createPrivateKey({
    key: Buffer.concat([pkcs8Prefix, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { seed: Buffer.from(seed), publicKey: spki.subarray(-publicKeyBytes), privateKey };
}

export function newKeyPair(): KeyPair {
  return keyPairFromSeed(randomBytes(seedBytes));
}

export function publicKeyObject(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([spkiPrefix, publicKey]), format: 'der', type: 'spki' });
}

export function signWith(key: KeyPair, bytes: Uint8Array): Buffer {
  return sign(null, bytes, key.privateKey);
}

export function signatureHolds(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  return signature.length === 64 && verify(null, bytes, publicKeyObject(publicKey), signature);
}

/** The first 20 bytes of the key's SHA-256, in lower-case hex: a node's id. */
export function nodeIdOf(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex').slice(0, 40);
}

/** The same in upper case: a validator's address. */
export function addressOf(publicKey: Uint8Array): string {
  return nodeIdOf(publicKey).toUpperCase();
}

const base64Bytes = (length: number) =>
  z
    .base64()
    .transform((text) => Buffer.from(text, 'base64'))
    .refine((bytes) => bytes.length === length, `must be ${length} bytes in base64`);

export const publicKeyJson = z.object({ type: z.literal(publicKeyType), value: base64Bytes(publicKeyBytes) });
/** The seed, then the public key. */
const privateKeyJson = z.object({
  type: z.literal(privateKeyType),
  value: base64Bytes(seedBytes + publicKeyBytes),
});

/** config/node_key.json */
export const nodeKeyFile = z
  .object({ priv_key: privateKeyJson })
  .transform(({ priv_key }) => keyPairFromSeed(priv_key.value.subarray(0, seedBytes)));

/** priv_validator_key.json; `address` and `pub_key` must be those of the private key. */
export const validatorKeyFile = z
  .object({ address: z.string(), pub_key: publicKeyJson, priv_key: privateKeyJson })
  .transform(({ address, pub_key, priv_key }, context) => {
    const key = keyPairFromSeed(priv_key.value.subarray(0, seedBytes));
    if (!key.publicKey.equals(pub_key.value) || addressOf(key.publicKey) !== address) {
      context.addIssue('address and pub_key must belong to priv_key');
      return z.NEVER;
    }
    return key;
  });

function privateKeyText({ seed, publicKey }: KeyPair): { type: string; value: string } {
  return { type: privateKeyType, value: Buffer.concat([seed, publicKey]).toString('base64') };
}

export function publicKeyText(publicKey: Uint8Array): { type: string; value: string } {
  return { type: publicKeyType, value: Buffer.from(publicKey).toString('base64') };
}

export function nodeKeyText(key: KeyPair): string {
  return `${JSON.stringify({ priv_key: privateKeyText(key) })}\n`;
}

export function validatorKeyText(key: KeyPair): string {
  const file = {
    address: addressOf(key.publicKey),
    pub_key: publicKeyText(key.publicKey),
    priv_key: privateKeyText(key),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}
