/** Whether an instance identity document is AWS's, and of our account. */

import { verify, X509Certificate } from 'node:crypto';
import {
  type IdentityProof,
  type InstanceIdentity,
  identityDocument,
} from '../../protocol/instance-identity.ts';

const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** What the manifest says where nobody gave any: a variable without a value is not everybody's. */
const none = 'none';

/** @param pem one after the other. @throws Error where one can't be read: nothing is let in with a configuration that is broken */
export function readCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(pemBlock) ?? [];
  if (blocks.length === 0 && !['', none].includes(pem.trim())) {
    throw new Error('BEAM_INSTANCE_CERTIFICATES has no certificate in PEM in it');
  }
  return blocks.map((block) => new X509Certificate(block));
}

/** @param templateArn of the account that instances must be of */
export function checkIdentity(
  { document, signature }: IdentityProof,
  certificates: readonly X509Certificate[],
  templateArn: string,
): InstanceIdentity | { refused: string } {
  const bytes = Buffer.from(document);
  const signed = Buffer.from(signature, 'base64');
  if (!certificates.some(({ publicKey }) => verify('sha256', bytes, publicKey, signed))) {
    return { refused: 'the identity document is not signed by AWS for this region' };
  }
  const parsed = identityDocument.safeParse(JSON.parse(document));
  if (!parsed.success) return { refused: `the identity document is malformed: ${parsed.error.message}` };
  const { accountId, instanceId, availabilityZone, pendingTime } = parsed.data;
  const account = templateArn.split(':')[4];
  if (accountId !== account) {
    return { refused: `the instance ${instanceId} is of the account ${accountId}, not ${account}` };
  }
  return { instanceId, availabilityZone, startedAt: Date.parse(pendingTime) };
}
