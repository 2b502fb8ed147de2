/** An Ed25519 public key as X.509 has it (SubjectPublicKeyInfo, RFC 8410). */

import { createPublicKey, type KeyObject } from 'node:crypto';

/** What comes before the raw key. */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');
const publicKeyBytes = 32;

/** @returns undefined where the DER is no SubjectPublicKeyInfo of an Ed25519 key. */
export function publicKeyOfSpki(der: Uint8Array): { key: KeyObject; raw: Buffer } | undefined {
  const raw = Buffer.from(der).subarray(spkiPrefix.length);
  if (raw.length !== publicKeyBytes || !spkiPrefix.equals(der.subarray(0, spkiPrefix.length)))
    return undefined;
  return { key: createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' }), raw };
}
