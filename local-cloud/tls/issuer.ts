/**
 * Signs certificates with the local cloud's CA. The X.509 library is loaded at the first use: a cloud that only
 * restarts needs none of it.
 */

import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';

export interface KeyAndCertificate {
  certificatePem: string;
  privateKeyPem: string;
}

export interface Issuer {
  /** A device's certificate for the key in the CSR. @throws Error when the CSR is broken or not signed by its key */
  fromCsr(csrPem: string): Promise<string>;
  withNewKey(): Promise<KeyAndCertificate & { publicKeyPem: string }>;
  /** RSA, which signatures of SNS are made with. */
  forSigning(name: string): Promise<KeyAndCertificate>;
  /** @param hosts DNS names and IP addresses */
  forServer(hosts: readonly string[]): Promise<KeyAndCertificate>;
}

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' };
const rsaAlgorithm = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: Uint8Array.of(1, 0, 1),
  hash: 'SHA-256',
};
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' };
/** AWS gives its device certificates until the end of 2049. */
const deviceNotAfter = new Date('2049-12-31T23:59:59Z');
/** Clients on Apple's systems refuse a server's certificate of more than 825 days. */
const serverDays = 820;
const dayMs = 24 * 3600 * 1000;
/** A clock a little behind ours shall not refuse what was just issued. */
const leewayMs = 3600 * 1000;

async function x509() {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

function pem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

const newKeys = () => webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);

async function privatePem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  return pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
}

async function publicPem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  return pem('PUBLIC KEY', await webcrypto.subtle.exportKey('spki', keys.publicKey));
}

/** Positive, and 16 bytes long at most. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

export async function makeAuthority(name: string, notAfter = deviceNotAfter): Promise<KeyAndCertificate> {
  const library = await x509();
  const keys = await newKeys();
  const certificate = await library.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - leewayMs),
    notAfter,
    signingAlgorithm,
    keys,
    extensions: [
      new library.BasicConstraintsExtension(true, 0, true),
      new library.KeyUsagesExtension(library.KeyUsageFlags.keyCertSign | library.KeyUsageFlags.cRLSign, true),
      await library.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: `${certificate.toString('pem')}\n`, privateKeyPem: await privatePem(keys) };
}

export function createIssuer(authority: KeyAndCertificate): Issuer {
  const open = async () => {
    const library = await x509();
    const der = Buffer.from(authority.privateKeyPem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    const signingKey = await webcrypto.subtle.importKey('pkcs8', der, keyAlgorithm, false, ['sign']);
    const certificate = new library.X509Certificate(authority.certificatePem);
    return { library, signingKey, certificate };
  };
  let opened: ReturnType<typeof open> | undefined;
  const ready = () => {
    opened ??= open();
    return opened;
  };

  async function issue(
    publicKey: webcrypto.CryptoKey,
    subject: string,
    notAfter: Date,
    usage: 'server' | 'client' | 'signing',
    hosts: readonly string[] = [],
  ): Promise<string> {
    const { library, signingKey, certificate } = await ready();
    const issued = await library.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject,
      issuer: certificate.subject,
      notBefore: new Date(Date.now() - leewayMs),
      notAfter,
      signingAlgorithm,
      publicKey,
      signingKey,
      extensions: [
        new library.BasicConstraintsExtension(false, undefined, true),
        new library.KeyUsagesExtension(library.KeyUsageFlags.digitalSignature, true),
        ...(usage === 'signing'
          ? []
          : [
              new library.ExtendedKeyUsageExtension([
                usage === 'server'
                  ? library.ExtendedKeyUsage.serverAuth
                  : library.ExtendedKeyUsage.clientAuth,
              ]),
            ]),
        await library.AuthorityKeyIdentifierExtension.create(certificate),
        await library.SubjectKeyIdentifierExtension.create(publicKey),
        ...(hosts.length > 0
          ? [
              new library.SubjectAlternativeNameExtension(
                hosts.map((value) => ({
                  type: isIP(value) ? ('ip' as const) : ('dns' as const),
                  value,
                })),
              ),
            ]
          : []),
      ],
    });
    return `${issued.toString('pem')}\n`;
  }

  return {
    async fromCsr(csrPem) {
      const { library } = await ready();
      const request = new library.Pkcs10CertificateRequest(csrPem);
      if (!(await request.verify())) throw new Error('its signature does not match its key');
      const subject = request.subject || 'CN=AWS IoT Certificate';
      return issue(await request.publicKey.export(), subject, deviceNotAfter, 'client');
    },
    async withNewKey() {
      const keys = await newKeys();
      return {
        certificatePem: await issue(keys.publicKey, 'CN=AWS IoT Certificate', deviceNotAfter, 'client'),
        privateKeyPem: await privatePem(keys),
        publicKeyPem: await publicPem(keys),
      };
    },
    async forSigning(name) {
      const keys = await webcrypto.subtle.generateKey(rsaAlgorithm, true, ['sign', 'verify']);
      return {
        certificatePem: await issue(keys.publicKey, `CN=${name}`, deviceNotAfter, 'signing'),
        privateKeyPem: await privatePem(keys),
      };
    },
    async forServer(hosts) {
      const keys = await newKeys();
      const notAfter = new Date(Date.now() + serverDays * dayMs);
      return {
        certificatePem: await issue(
          keys.publicKey,
          `CN=${hosts[0] ?? 'localhost'}`,
          notAfter,
          'server',
          hosts,
        ),
        privateKeyPem: await privatePem(keys),
      };
    },
  };
}
