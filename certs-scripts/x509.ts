/** @peculiar/x509 over Node's WebCrypto, and keys between PEM and WebCrypto. */

import { createHash, createPrivateKey, createPublicKey, webcrypto, X509Certificate } from 'node:crypto';

// The polyfill must be there before the library is loaded, and a bundle in chunks keeps no order among static imports.
await import('reflect-metadata');
export const x509 = await import('@peculiar/x509');

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' };
export const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' };

/** Both halves of a P-256 private key in PEM. */
export async function keyPair(privateKeyPem: string): Promise<webcrypto.CryptoKeyPair> {
  const key = createPrivateKey(privateKeyPem);
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return {
    privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, keyAlgorithm, true, ['sign']),
    publicKey: await webcrypto.subtle.importKey('spki', spki, keyAlgorithm, true, ['verify']),
  };
}

/** SHA-256 of the DER form, in hex: AWS IoT's id of a certificate. */
export function fingerprintOf(certificatePem: string): string {
  return createHash('sha256').update(new X509Certificate(certificatePem).raw).digest('hex');
}
