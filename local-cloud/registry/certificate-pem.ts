/** Certificates as they come in: PEM from anybody, into Node's X.509 and AWS's ids. */

import { createHash, X509Certificate } from 'node:crypto';
import { AwsError } from './aws-error.ts';

/** SHA-256 of the DER form, as AWS names certificates. */
export function certificateIdOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

/** @throws AwsError (CertificateValidationException) */
export function parseCertificatePem(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new AwsError(
      400,
      'CertificateValidationException',
      `The certificate is not valid PEM: ${messageOf(error)}`,
    );
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
