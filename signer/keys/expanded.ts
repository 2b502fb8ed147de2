/**
 * Ed25519 with an expanded key: the scalar and the nonce prefix that RFC 8032 (5.1.5) derives from a seed. Horcrux shares
 * the scalar, and tmkms may keep both, so a key that comes from there has no seed, and node:crypto signs from seeds
 * alone. The point arithmetic is @noble/ed25519's (docs/decisions/expanded-keys.md).
 */

import { createHash, createPublicKey, verify } from 'node:crypto';
import { Point } from '@noble/ed25519';
import type { SigningKey } from '../core/ports.ts';

/** The order of the base point. */
export const groupOrder = Point.CURVE().n;

/** What comes before a raw public key in SubjectPublicKeyInfo. */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

export interface ExpandedKey {
  /** 1 to `groupOrder` - 1. */
  scalar: bigint;
  /** 32 secret bytes: the nonce of each message is hashed from them. */
  prefix: Uint8Array;
}

export function publicKeyOf(scalar: bigint): Uint8Array {
  return Point.BASE.multiply(scalar).toBytes();
}

/** Of 64 bytes: the scalar, little-endian, then the prefix. @throws RangeError for a scalar that is none */
export function expandedKey(bytes: Uint8Array): ExpandedKey {
  const scalar = littleEndian(bytes.subarray(0, 32)) % groupOrder;
  if (bytes.length !== 64 || scalar === 0n) throw new RangeError('not an expanded Ed25519 key');
  return { scalar, prefix: Uint8Array.from(bytes.subarray(32)) };
}

export function expandedBytes({ scalar, prefix }: ExpandedKey): Buffer {
  return Buffer.concat([toLittleEndian(scalar), prefix]);
}

/**
 * Signs as RFC 8032 (5.1.6) does: the same bytes get the same signature, and other bytes another nonce. Each signature is
 * verified by node:crypto before it is handed out: a faulty one would give the scalar away.
 */
export function expandedSigningKey({ scalar, prefix }: ExpandedKey): SigningKey {
  const publicKey = publicKeyOf(scalar);
  const verifyingKey = createPublicKey({
    key: Buffer.concat([spkiPrefix, publicKey]),
    format: 'der',
    type: 'spki',
  });
  return {
    publicKey,
    sign: async (bytes) => {
      const nonce = hashToScalar(prefix, bytes);
      if (nonce === 0n) throw new Error('the nonce of this message is zero; it is not signed');
      const commitment = Point.BASE.multiply(nonce).toBytes();
      const challenge = hashToScalar(commitment, publicKey, bytes);
      const response = (nonce + challenge * scalar) % groupOrder;
      const signature = Buffer.concat([commitment, toLittleEndian(response)]);
      if (!verify(null, bytes, verifyingKey, signature)) {
        throw new Error('a signature that was just made does not verify; it is not handed out');
      }
      return signature;
    },
  };
}

function hashToScalar(...parts: Uint8Array[]): bigint {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return littleEndian(hash.digest()) % groupOrder;
}

export function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex') || '0'}`);
}

function toLittleEndian(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
}
