/** An authority as it lies in its folder: certificate, key, the chain above it, and what it revoked. */

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority } from './ca.ts';
import { writeWhole } from './write-whole.ts';

export function authorityFiles(folder: string) {
  return {
    certificate: join(folder, 'ca.pem'),
    key: join(folder, 'ca.key'),
    /** This one's certificate and those above it. */
    chain: join(folder, 'chain.pem'),
    crl: join(folder, 'crl.pem'),
  };
}

export interface StoredAuthority extends Authority {
  /** PEM: this one first, the root last. */
  chainPem: string;
}

/** @param above the chain of the authority that signed it; left out: it is a root */
export function writeAuthority(folder: string, authority: Authority, above = ''): void {
  const files = authorityFiles(folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // The key first, so that a certificate on disk always has its key.
  writeWhole(files.key, authority.privateKeyPem, 0o600);
  writeWhole(files.chain, `${authority.certificatePem}${above}`, 0o644);
  writeWhole(files.certificate, authority.certificatePem, 0o644);
}

/** @throws what the file system says, of a file that is not there */
export function readAuthority(folder: string): StoredAuthority {
  const files = authorityFiles(folder);
  const certificatePem = readFileSync(files.certificate, 'utf8');
  return {
    certificatePem,
    privateKeyPem: readFileSync(files.key, 'utf8'),
    // Written by an earlier version, it has no chain: it was a root.
    chainPem: existsSync(files.chain) ? readFileSync(files.chain, 'utf8') : certificatePem,
  };
}
