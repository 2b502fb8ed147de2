import { constants } from 'node:crypto';
import type { TlsOptions } from 'node:tls';
import type { KeyAndCertificate } from './issuer.ts';

/** Of a server that wants a certificate of its clients. */
export function mutualTls({ privateKeyPem, certificatePem }: KeyAndCertificate): TlsOptions {
  return {
    key: privateKeyPem,
    cert: certificatePem,
    requestCert: true,
    // Whose certificate it is, the registry says: it holds certificates of other CAs, too. TLS itself proves that
    // the client has the certificate's key.
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    // A resumed connection would not show its certificate again.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
