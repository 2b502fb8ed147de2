/** For tests: signs identity documents with a key of its own, in AWS's place. */

import { createPrivateKey, sign, webcrypto } from 'node:crypto';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

const algorithm = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};

export async function signerOfDocuments() {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=in the place of AWS',
    keys,
    signingAlgorithm: algorithm,
  });
  const key = createPrivateKey({
    key: Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)),
    format: 'der',
    type: 'pkcs8',
  });
  return {
    certificatePem: certificate.toString('pem'),
    sign: (document: string) => sign('sha256', Buffer.from(document), key).toString('base64'),
    /** With the spaces and members that AWS's have. */
    document: (members: object) =>
      JSON.stringify(
        {
          accountId: '000000000000',
          architecture: 'arm64',
          availabilityZone: 'eu-west-1a',
          imageId: 'ami-0123456789abcdef0',
          instanceId: 'i-0123456789abcdef0',
          instanceType: 'm7g.large',
          kernelId: null,
          pendingTime: '2026-11-27T10:00:00Z',
          privateIp: '10.0.0.7',
          region: 'eu-west-1',
          version: '2017-09-30',
          ...members,
        },
        undefined,
        2,
      ),
  };
}
