/** Checks a server's certificate files before they are used: a broken one should say so by name, not as a TLS error. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Raised for a PEM file that can't be used; names the file and what to do. */
export class CertificateFileError extends Error {
  override readonly name = 'CertificateFileError';
  readonly file: string;
  constructor(file: string, fault: string, options?: ErrorOptions) {
    super(`${file} ${fault}`, options);
    this.file = file;
  }
}

export interface CertificateFiles {
  certificate: string;
  key: string;
  /** CA of the endpoint; undefined: the system's. */
  ca?: string | undefined;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error !== null && typeof error === 'object' && 'code' in error ? error.code : undefined;
    throw new CertificateFileError(
      file,
      code === 'ENOENT'
        ? 'is not there; register this server with `beam init`'
        : `can't be read (${String(code)}); check its owner and mode`,
      { cause: error },
    );
  }
}

function parseCertificate(file: string): X509Certificate {
  const text = read(file);
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw new CertificateFileError(
      file,
      'is no certificate in PEM (-----BEGIN CERTIFICATE-----); write it again, or register this server anew with `beam init --force`',
      { cause: error },
    );
  }
}

/**
 * @param now ms since the epoch
 * @returns when the certificate ends, ms since the epoch
 * @throws CertificateFileError for a file that is missing or broken, a certificate that is expired or not valid yet, or
 * a key that is another certificate's
 */
export function checkCertificateFiles(
  { certificate, key, ca }: CertificateFiles,
  now: number,
): { validToMs: number } {
  const device = parseCertificate(certificate);
  const keyText = read(key);
  let matches: boolean;
  try {
    matches = device.checkPrivateKey(createPrivateKey(keyText));
  } catch (error) {
    throw new CertificateFileError(
      key,
      'is no private key in PEM; put the right one back, or register this server anew with `beam init --force`',
      { cause: error },
    );
  }
  if (!matches) {
    throw new CertificateFileError(
      key,
      `is not the key of ${certificate}; put the pair back together, or register this server anew with \`beam init --force\``,
    );
  }
  const validFromMs = Date.parse(device.validFrom);
  const validToMs = Date.parse(device.validTo);
  if (now >= validToMs) {
    throw new CertificateFileError(
      certificate,
      `expired on ${device.validTo}; register this server anew with \`beam register\` or \`beam certs register\` (and see that this machine's clock is right)`,
    );
  }
  if (now < validFromMs) {
    throw new CertificateFileError(
      certificate,
      `is valid from ${device.validFrom} on only; this machine's clock may be wrong`,
    );
  }
  if (ca !== undefined) parseCertificate(ca);
  return { validToMs };
}
