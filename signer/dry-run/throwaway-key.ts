/** Stands where the consensus key would: made at start, kept in memory, known to no chain. A dry-run has no other. */

import { generateKeyPairSync, sign } from 'node:crypto';
import type { SigningKey } from '../core/ports.ts';

export function throwawayKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    publicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32),
    sign: async (bytes) => sign(null, bytes, privateKey),
  };
}
