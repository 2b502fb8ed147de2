/**
 * Who an EC2 instance is, by its instance identity document and AWS's signature over it (EC2 user guide, "Instance identity
 * documents"): what a fresh server sends along when it registers, and the pre-provisioning hook checks.
 */

import * as z from 'zod';

/** Parameters of the provisioning template (cloud-rules/templates/beam-server.json). */
export const identityParameters = { document: 'InstanceDocument', signature: 'InstanceSignature' } as const;
/** What the template has where a server sends none: AWS's parameters are never empty. */
export const noIdentity = 'unset';

/** Some 500 bytes, and 128 in base64. AWS IoT takes up to 4,096 characters in a parameter. */
const documentCharsMax = 4_096;
const signatureCharsMax = 1_024;

export const identityProof = z.object({
  /** As it came, to the last space: the signature is over these bytes. */
  document: z.string().min(2).max(documentCharsMax),
  /** Base64 of RSA with SHA-256. */
  signature: z.string().min(16).max(signatureCharsMax),
});
export type IdentityProof = z.infer<typeof identityProof>;

export const instanceId = z.string().regex(/^i-[0-9a-f]{8,32}$/, 'must be like i-0123456789abcdef0');

/** Of the document, what is used of it. */
export const identityDocument = z.object({
  accountId: z.string().regex(/^\d{12}$/),
  instanceId,
  region: z.string().min(1).max(64),
  availabilityZone: z.string().min(1).max(64),
  /** When the instance was started last. */
  pendingTime: z.iso.datetime(),
});

export interface InstanceIdentity {
  instanceId: string;
  availabilityZone: string;
  /** ms since 1970 */
  startedAt: number;
}
