/** An EC2 instance's identity document and its signature, from its metadata service (IMDSv2: a token first). */

import { type IdentityProof, identityProof } from '../protocol/instance-identity.ts';

/** AWS's own, and the variable by which its SDKs are pointed elsewhere. */
export const metadataAddress = 'http://169.254.169.254';
export const metadataVariable = 'AWS_EC2_METADATA_SERVICE_ENDPOINT';
const answerMsMax = 2_000;
const tokenSeconds = '60';

/** Raised where this machine's metadata service gave no identity document. */
export class InstanceMetadataError extends Error {
  override readonly name = 'InstanceMetadataError';
}

/** @throws InstanceMetadataError */
export async function readIdentity(address: string): Promise<IdentityProof> {
  const ask = async (path: string, init: RequestInit): Promise<string> => {
    const url = `${address.replace(/\/+$/, '')}/latest/${path}`;
    let response: Response;
    try {
      response = await fetch(url, { ...init, signal: AbortSignal.timeout(answerMsMax), redirect: 'error' });
    } catch (error) {
      throw new InstanceMetadataError(
        `${url}: no answer; is this an EC2 instance, and its metadata service on?`,
        { cause: error },
      );
    }
    if (!response.ok) throw new InstanceMetadataError(`${url}: ${response.status}`);
    return response.text();
  };
  const token = await ask('api/token', {
    method: 'PUT',
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': tokenSeconds },
  });
  const headers = { 'x-aws-ec2-metadata-token': token };
  const [document, signature] = await Promise.all([
    ask('dynamic/instance-identity/document', { headers }),
    ask('dynamic/instance-identity/signature', { headers }),
  ]);
  const proof = identityProof.safeParse({ document, signature: signature.replace(/\s/g, '') });
  if (!proof.success) throw new InstanceMetadataError(`${address}: what it answered is no identity document`);
  return proof.data;
}
