import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCredentials } from '../../local-cloud/tls/credentials.ts';
import type { PeerOptions } from './peers.ts';

/** A certificate for localhost, with a CA of its own, for an engine's HTTPS. @param folder exists; the files stay in it */
export async function localhostTls(folder: string): Promise<NonNullable<PeerOptions['tls']>> {
  const { caPath, server } = await openCredentials(join(folder, 'tls'), []);
  const files = { certificate: join(folder, 'server.pem'), key: join(folder, 'server.key'), ca: caPath };
  writeFileSync(files.certificate, server.certificatePem);
  writeFileSync(files.key, server.privateKeyPem, { mode: 0o600 });
  return files;
}
