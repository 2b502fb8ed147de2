/** Makes principals of what a client shows: its certificate, or keys that signed its request. */

import type { TLSSocket } from 'node:tls';
import { certificateIdOf } from '../registry/certificate-pem.ts';
import type { Registry } from '../registry/registry.ts';
import type { Principal } from './peer.ts';

/** A TLS connection without a client certificate. */
export class NoCertificate extends Error {
  override name = 'NoCertificate';
}

/** @throws NoCertificate */
export function certificatePrincipal(socket: TLSSocket, registry: Registry): Principal {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) throw new NoCertificate('no client certificate');
  return certificatePrincipalOf(certificateIdOf(certificate.raw), registry);
}

/** Whose connection is over. */
export function formerPrincipal(id: string, registry: Registry): Principal {
  return /^[0-9a-f]{64}$/.test(id) ? certificatePrincipalOf(id, registry) : accountPrincipal(id);
}

function certificatePrincipalOf(id: string, registry: Registry): Principal {
  return {
    id,
    fault() {
      const record = registry.certificates.find(id);
      if (record === undefined) return 'the certificate is not registered';
      if (record.status !== 'ACTIVE') return `the certificate is ${record.status}`;
      const now = Date.now() / 1000;
      if (record.claim && record.claim.until <= now) return 'the provisioning claim is over';
      const isInTime = record.notBefore <= now && now < record.notAfter;
      return isInTime ? undefined : 'the certificate is expired or not yet valid';
    },
    authorityOf: (clientId) => registry.authorityOf(id, clientId),
  };
}

/** Keys of the account itself: what they may do is not narrowed here. */
export function accountPrincipal(accessKeyId: string): Principal {
  return {
    id: accessKeyId,
    fault: () => undefined,
    authorityOf: () => ({
      statements: [{ effect: 'Allow', actions: ['iot:*'], resources: ['*'], conditions: [] }],
      variables: new Map(),
    }),
  };
}
