import { keyPair, signingAlgorithm, x509 } from './x509.ts';

/**
 * A PKCS #10 request for the key, as CreateCertificateFromCsr and fleet provisioning take it.
 * @param privateKeyPem P-256
 * @param commonName the thing's name, for people: AWS IoT knows a device by its certificate, not by its subject
 * @returns PEM
 */
export async function createCsr(privateKeyPem: string, commonName: string): Promise<string> {
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [commonName] }],
    keys: await keyPair(privateKeyPem),
    signingAlgorithm,
  });
  return `${request.toString('pem')}\n`;
}
