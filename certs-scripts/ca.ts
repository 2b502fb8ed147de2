/** A CA of one's own, for those who register device certificates that AWS did not issue. */

import { randomBytes } from 'node:crypto';
import { makeDeviceKey } from './device-key.ts';
import { keyPair, signingAlgorithm, x509 } from './x509.ts';

const dayMs = 24 * 3600 * 1000;
/** A clock a little behind ours shall not refuse what was just issued. */
const leewayMs = 3600 * 1000;

export interface Authority {
  certificatePem: string;
  privateKeyPem: string;
}

/** Positive, 16 bytes. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

export interface NewAuthority {
  /** Until its certificate ends, though never past its issuer's. */
  days?: number;
  /** Another certificate for the key of before; left out: a new key. */
  privateKeyPem?: string;
  /** The authority above it; left out: it signs itself. */
  issuer?: Authority;
}

/** A root may sign authorities for devices; those sign devices alone. */
export async function makeAuthority(
  commonName: string,
  { days = 3650, privateKeyPem = makeDeviceKey(), issuer }: NewAuthority = {},
): Promise<Authority> {
  const keys = await keyPair(privateKeyPem);
  const above = issuer && {
    certificate: new x509.X509Certificate(issuer.certificatePem),
    keys: await keyPair(issuer.privateKeyPem),
  };
  const notAfter = Date.now() + days * dayMs;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [commonName] }],
    issuer: above ? above.certificate.subject : [{ CN: [commonName] }],
    notBefore: new Date(Date.now() - leewayMs),
    notAfter: new Date(Math.min(notAfter, above?.certificate.notAfter.getTime() ?? notAfter)),
    signingAlgorithm,
    publicKey: keys.publicKey,
    signingKey: (above?.keys ?? keys).privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(true, above ? 0 : 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...(above ? [await x509.AuthorityKeyIdentifierExtension.create(above.certificate)] : []),
    ],
  });
  return { certificatePem: `${certificate.toString('pem')}\n`, privateKeyPem };
}

/**
 * A device's certificate for the key in the CSR; it ends with the authority's own at the latest.
 * @param from ms since the epoch; left out: from now on for `days`
 * @param subject in place of what the CSR says of itself
 * @throws Error where the CSR is broken, or not signed by its own key
 */
export async function issueFromCsr(
  authority: Authority,
  csrPem: string,
  {
    days = 365,
    from = Date.now() - leewayMs,
    subject,
  }: {
    days?: number;
    from?: number;
    subject?: { commonName: string; organizationalUnit: string } | undefined;
  } = {},
): Promise<string> {
  const request = new x509.Pkcs10CertificateRequest(csrPem);
  if (!(await request.verify()))
    throw new Error('The certificate request is not signed by its own key; make it anew.');
  const issuer = new x509.X509Certificate(authority.certificatePem);
  const { privateKey } = await keyPair(authority.privateKeyPem);
  const notAfterMs = Math.min(from + days * dayMs, issuer.notAfter.getTime());
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: subject ? [{ OU: [subject.organizationalUnit] }, { CN: [subject.commonName] }] : request.subject,
    issuer: issuer.subject,
    notBefore: new Date(from),
    notAfter: new Date(notAfterMs),
    signingAlgorithm,
    publicKey: request.publicKey,
    signingKey: privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}
