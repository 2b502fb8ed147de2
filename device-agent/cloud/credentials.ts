/** The device certificate, its key and the CA, checked and read before the first connect. */

import { readFile } from 'node:fs/promises';
import { type CertificateFiles, checkCertificateFiles } from '../../protocol/certificates.ts';
import type { ConfigFile } from '../../protocol/config.ts';
import type { Home } from '../home/load-home.ts';

export interface CloudCredentials {
  certificate: string;
  key: string;
  ca: string | undefined;
  /** End of the certificate, ms since 1970. */
  validToMs: number;
}

/** @throws CertificateFileError that names the file and what to do. */
export async function readCredentials(
  home: Home,
  cloud: NonNullable<ConfigFile['cloud']>,
  nowMs: number,
): Promise<CloudCredentials> {
  const files: CertificateFiles = {
    certificate: home.path(cloud.certificate),
    key: home.path(cloud.key),
    ca: cloud.ca === undefined ? undefined : home.path(cloud.ca),
  };
  const { validToMs } = checkCertificateFiles(files, nowMs);
  const [certificate, key, ca] = await Promise.all([
    readFile(files.certificate, 'utf8'),
    readFile(files.key, 'utf8'),
    files.ca === undefined ? undefined : readFile(files.ca, 'utf8'),
  ]);
  return { certificate, key, ca, validToMs };
}
