/** Checks a server's certificate files before they are used: a broken one should say so by name, not as a TLS error. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface CertificateFileFault {
  file: string;
  /** Behind the file's name. */
  what: string;
  remedy: string;
  /** Whether other files in their place mend it. Not so where this machine's rights or clock are wrong. */
  replaceable: boolean;
}

/** Raised for a PEM file that can't be used; names the file and what to do. */
export class CertificateFileError extends Error {
  override readonly name = 'CertificateFileError';
  readonly fault: CertificateFileFault;
  constructor(fault: CertificateFileFault, options?: ErrorOptions) {
    super(`${fault.file} ${fault.what}; ${fault.remedy}`, options);
    this.fault = fault;
  }
}

export interface CertificateFiles {
  certificate: string;
  key: string;
  /** CA of the endpoint; undefined: the system's. */
  ca?: string | undefined;
}

const anew = 'register this server anew with `beam init --force`';

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error !== null && typeof error === 'object' && 'code' in error ? error.code : undefined;
    const fault =
      code === 'ENOENT'
        ? { what: 'is not there', remedy: 'register this server with `beam init`', replaceable: true }
        : {
            what: `can't be read (${String(code)})`,
            remedy: 'check its owner and mode',
            replaceable: false,
          };
    throw new CertificateFileError({ file, ...fault }, { cause: error });
  }
}

function parseCertificate(file: string): X509Certificate {
  const text = read(file);
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw new CertificateFileError(
      {
        file,
        what: 'is no certificate in PEM (-----BEGIN CERTIFICATE-----)',
        remedy: `write it again, or ${anew}`,
        replaceable: true,
      },
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
      {
        file: key,
        what: 'is no private key in PEM',
        remedy: `put the right one back, or ${anew}`,
        replaceable: true,
      },
      { cause: error },
    );
  }
  if (!matches) {
    throw new CertificateFileError({
      file: key,
      what: `is not the key of ${certificate}`,
      remedy: `put the pair back together, or ${anew}`,
      replaceable: true,
    });
  }
  const validFromMs = Date.parse(device.validFrom);
  const validToMs = Date.parse(device.validTo);
  if (now >= validToMs) {
    throw new CertificateFileError({
      file: certificate,
      what: `expired on ${device.validTo}`,
      remedy:
        "register this server anew with `beam register` or `beam certs register` (and see that this machine's clock is right)",
      replaceable: true,
    });
  }
  if (now < validFromMs) {
    throw new CertificateFileError({
      file: certificate,
      what: `is valid from ${device.validFrom} on only`,
      remedy: "this machine's clock may be wrong",
      replaceable: false,
    });
  }
  if (ca !== undefined) parseCertificate(ca);
  return { validToMs };
}
