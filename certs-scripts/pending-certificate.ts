/**
 * A certificate that was made for our key and is not the thing's yet, kept on disk until it is: a registration that broke
 * off between the two goes on with the same one, as its admission may be used by one certificate alone.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import * as z from 'zod';
import { createCsr } from './csr.ts';
import type { ProvisioningClient } from './provisioning-client.ts';
import { writeWhole } from './write-whole.ts';

/** AWS: tokens last an hour. Some of it is left for the answer. */
const tokenMsMax = 55 * 60 * 1000;

const pendingCertificate = z.object({
  certificateId: z.string(),
  certificatePem: z.string(),
  certificateOwnershipToken: z.string(),
  /** ms since 1970 */
  madeAt: z.number(),
});
export type PendingCertificate = z.infer<typeof pendingCertificate>;

/** The one of an earlier try, where it is for this key and still good; else a new one, on disk before it is returned. */
export async function pendingFor(
  file: string,
  keyPem: string,
  commonName: string,
  client: ProvisioningClient,
  nowMs: number,
): Promise<PendingCertificate> {
  const earlier = readPending(file);
  if (earlier && nowMs - earlier.madeAt < tokenMsMax && isOfKey(earlier.certificatePem, keyPem))
    return earlier;
  const made = await client.createFromCsr(await createCsr(keyPem, commonName));
  const pending = { ...made, madeAt: nowMs };
  writeWhole(file, `${JSON.stringify(pending)}\n`, 0o600);
  return pending;
}

function readPending(file: string): PendingCertificate | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return pendingCertificate.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // Of no use to anybody: a new one is made.
    return undefined;
  }
}

export function isOfKey(certificatePem: string, keyPem: string): boolean {
  try {
    return new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false;
  }
}
