/** The consensus address of a priv_validator_key.json: the first 20 bytes of SHA-256 of the public key (CometBFT crypto/ed25519). */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as z from 'zod';

const keyFile = z.object({
  pub_key: z.object({ type: z.literal('tendermint/PubKeyEd25519'), value: z.base64() }),
});

/** @returns 40 upper-case hex digits. */
export function consensusAddressOf(file: string): string {
  const { pub_key } = keyFile.parse(JSON.parse(readFileSync(file, 'utf8')));
  const digest = createHash('sha256').update(Buffer.from(pub_key.value, 'base64')).digest('hex');
  return digest.slice(0, 40).toUpperCase();
}
