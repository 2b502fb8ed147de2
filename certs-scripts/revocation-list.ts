/** The revocation list of an authority of one's own (RFC 5280, section 5): which of its certificates count no more. */

import { X509Certificate } from 'node:crypto';
import type { Authority } from './ca.ts';
import { keyPair, signingAlgorithm, x509 } from './x509.ts';

const dayMs = 24 * 3600 * 1000;

export interface RevokedCertificate {
  /** Hex. */
  serialNumber: string;
  atMs: number;
}

/** Serial numbers as Node writes them: upper case, no zeros in front. */
function sameForm(serialNumber: string): string {
  return serialNumber.toUpperCase().replace(/^0+(?=.)/, '');
}

/** @throws Error where the list is broken, or another authority's */
export async function readRevocations(crlPem: string, authorityPem: string): Promise<RevokedCertificate[]> {
  const crl = new x509.X509Crl(crlPem);
  if (!(await crl.verify({ publicKey: new x509.X509Certificate(authorityPem) }))) {
    throw new Error('the revocation list is not signed by this authority');
  }
  return crl.entries.map(({ serialNumber, revocationDate }) => ({
    serialNumber: sameForm(serialNumber),
    atMs: revocationDate.getTime(),
  }));
}

/**
 * @param certificatePem undefined: nothing is added, the list is only written anew
 * @param before the list of before; what is on it stays
 * @returns the new list, PEM
 */
export async function revokeIssued(
  authority: Authority,
  certificatePem: string | undefined,
  { before, nowMs, days = 30 }: { before?: string | undefined; nowMs: number; days?: number },
): Promise<string> {
  const entries = before === undefined ? [] : await readRevocations(before, authority.certificatePem);
  if (certificatePem !== undefined) {
    const certificate = new X509Certificate(certificatePem);
    if (!certificate.verify(new X509Certificate(authority.certificatePem).publicKey)) {
      throw new Error('the certificate is not of this authority, which can revoke its own alone');
    }
    const serialNumber = sameForm(certificate.serialNumber);
    const isKnown = entries.some((entry) => entry.serialNumber === serialNumber);
    if (!isKnown) entries.push({ serialNumber, atMs: nowMs });
  }
  const issuer = new x509.X509Certificate(authority.certificatePem);
  const crl = await x509.X509CrlGenerator.create({
    issuer: issuer.subject,
    thisUpdate: new Date(nowMs),
    nextUpdate: new Date(nowMs + days * dayMs),
    entries: entries.map((entry) => ({
      serialNumber: entry.serialNumber.padStart(
        entry.serialNumber.length + (entry.serialNumber.length % 2),
        '0',
      ),
      revocationDate: new Date(entry.atMs),
    })),
    signingAlgorithm,
    signingKey: (await keyPair(authority.privateKeyPem)).privateKey,
    extensions: [await x509.AuthorityKeyIdentifierExtension.create(issuer)],
  });
  return `${crl.toString('pem')}\n`;
}

export function isRevoked(certificatePem: string, revoked: readonly RevokedCertificate[]): boolean {
  const serialNumber = sameForm(new X509Certificate(certificatePem).serialNumber);
  return revoked.some((entry) => entry.serialNumber === serialNumber);
}
