/** Whether a certificate holds under an authority of one's own: its chain, their times, and the revocation list. */

import { X509Certificate } from 'node:crypto';
import { isRevoked, type RevokedCertificate } from './revocation-list.ts';

const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** The certificates of a PEM file in their order. */
export function certificatesIn(pem: string): X509Certificate[] {
  return (pem.match(pemBlock) ?? []).map((block) => new X509Certificate(block));
}

export interface ChainCheck {
  /** What is wrong, each with its remedy; none: it holds. */
  faults: string[];
  /** The earliest end in the chain, ms since 1970. */
  validToMs: number;
}

/** @param chainPem the signer's certificate first, the root last */
export function checkChain(
  certificatePem: string,
  chainPem: string,
  { nowMs, revoked = [] }: { nowMs: number; revoked?: readonly RevokedCertificate[] },
): ChainCheck {
  const [leaf] = certificatesIn(certificatePem);
  const chain = certificatesIn(chainPem);
  const root = chain.at(-1);
  if (!leaf || !root) throw new Error('there is no certificate in PEM to check');
  const faults: string[] = [];
  const nameOf = ({ subject }: X509Certificate) => subject.split('\n').at(-1) ?? '';
  const links = [leaf, ...chain];
  for (const [index, certificate] of links.entries()) {
    const name = nameOf(certificate);
    const above = links[index + 1] ?? root;
    if (!certificate.checkIssued(above) || !certificate.verify(above.publicKey)) {
      faults.push(`${name} is not signed by ${nameOf(above)}: the chain is another one's`);
    }
    if (index > 0 && !certificate.ca)
      faults.push(`${name} is no authority, and signed ${nameOf(links[index - 1] ?? leaf)}`);
    if (nowMs >= Date.parse(certificate.validTo)) {
      faults.push(`${name} expired on ${certificate.validTo}: issue it anew`);
    }
    if (nowMs < Date.parse(certificate.validFrom)) {
      faults.push(`${name} is valid from ${certificate.validFrom} on only: is this machine's clock right?`);
    }
  }
  if (isRevoked(certificatePem, revoked)) faults.push(`${nameOf(leaf)} was revoked by its authority`);
  return { faults, validToMs: Math.min(...links.map(({ validTo }) => Date.parse(validTo))) };
}
