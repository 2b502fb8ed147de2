/** The device's own key: ECDSA P-256, made where it is used, never sent anywhere (design, section 7). */

import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { CertificateFileError } from '../protocol/certificates.ts';
import { writeServersOwn } from './write-whole.ts';

/** A new key as PKCS #8 PEM. */
export function makeDeviceKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/**
 * The key in `path`, made there (mode 0600, or 0640 in a shared folder) where it is missing. A key that is there is never replaced.
 * @returns PEM
 * @throws CertificateFileError where the file is no P-256 key
 */
export function ensureDeviceKey(path: string): string {
  if (!existsSync(path)) {
    const pem = makeDeviceKey();
    writeServersOwn(path, pem);
    return pem;
  }
  const pem = readFileSync(path, 'utf8');
  const remedy = 'move it away, and a new one is made';
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return pem;
  } catch (error) {
    const what = 'is no private key in PEM';
    throw new CertificateFileError({ file: path, what, remedy, replaceable: true }, { cause: error });
  }
  const what = 'is no ECDSA P-256 key';
  throw new CertificateFileError({ file: path, what, remedy, replaceable: true });
}
