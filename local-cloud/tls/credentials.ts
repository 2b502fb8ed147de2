/** The cloud's own secrets in its data folder, made at the first start: CA, server certificate, access key. */

import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { createIssuer, type Issuer, type KeyAndCertificate, makeAuthority } from './issuer.ts';

export interface CloudCredentials {
  /** Made at the first use: what SNS signs its messages with. */
  snsSigner(): Promise<KeyAndCertificate>;
  caPath: string;
  server: KeyAndCertificate;
  issuer: Issuer;
  accessKeyId: string;
  secretAccessKey: string;
}

const credentialsName = 'credentials';
const accessKeyName = 'access-key.json';
/** A server certificate that ends sooner than this is made anew. */
const renewBeforeMs = 60 * 24 * 3600 * 1000;
const accessKeySchema = z.strictObject({
  accessKeyId: z.string().min(16),
  secretAccessKey: z.string().min(16),
});

/** Whole on disk or not there: written beside, synced, renamed, the folder synced. */
function writeWhole(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, 'w', mode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Key first, so that a certificate on disk always has its key. */
function writePair(folder: string, name: string, pair: KeyAndCertificate): void {
  writeWhole(join(folder, `${name}-key.pem`), pair.privateKeyPem, 0o600);
  writeWhole(join(folder, `${name}.pem`), pair.certificatePem, 0o644);
}

/** @throws Error that names the file which is broken, and what to do */
function readPair(folder: string, name: string): KeyAndCertificate | undefined {
  const certificatePath = join(folder, `${name}.pem`);
  const keyPath = join(folder, `${name}-key.pem`);
  if (!existsSync(certificatePath)) return undefined;
  try {
    const certificatePem = readFileSync(certificatePath, 'utf8');
    const privateKeyPem = readFileSync(keyPath, 'utf8');
    if (new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem))) {
      return { certificatePem, privateKeyPem };
    }
  } catch (error) {
    throw new Error(`${certificatePath} or ${keyPath} is broken (${String(error)}). ${remedy[name] ?? ''}`, {
      cause: error,
    });
  }
  throw new Error(`${keyPath} is not the key of ${certificatePath}. ${remedy[name] ?? ''}`);
}

const remedy: Record<string, string> = {
  ca: 'Put both back from a copy. Or delete the folder that they are in: then a new CA is made, and every device is registered anew.',
  server: 'Delete both: they are made anew.',
  sns: 'Delete both: they are made anew.',
};

function coversHosts(certificatePem: string, hosts: readonly string[], authorityPem: string): boolean {
  const certificate = new X509Certificate(certificatePem);
  return (
    certificate.checkIssued(new X509Certificate(authorityPem)) &&
    Date.parse(certificate.validTo) - Date.now() > renewBeforeMs &&
    hosts.every(
      (host) => (isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)) !== undefined,
    )
  );
}

/** @param hosts what clients may call this cloud, beside localhost */
export async function openCredentials(folder: string, hosts: readonly string[]): Promise<CloudCredentials> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let authority = readPair(folder, 'ca');
  if (!authority) {
    authority = await makeAuthority('Beam local cloud CA');
    writePair(folder, 'ca', authority);
  }
  const issuer = createIssuer(authority);

  const names = [...new Set(['localhost', '127.0.0.1', '::1', ...hosts])];
  let server = readPair(folder, 'server');
  if (!server || !coversHosts(server.certificatePem, names, authority.certificatePem)) {
    server = await issuer.forServer(names);
    writePair(folder, 'server', server);
  }

  const accessKeyPath = join(folder, accessKeyName);
  if (!existsSync(accessKeyPath)) {
    const fresh = {
      accessKeyId: `AKIALOCAL${randomBytes(6).toString('hex').toUpperCase()}`,
      secretAccessKey: randomBytes(30).toString('base64url'),
    };
    writeWhole(accessKeyPath, `${JSON.stringify(fresh)}\n`, 0o600);
  }
  const accessKey = accessKeySchema.safeParse(parseJson(readFileSync(accessKeyPath, 'utf8')));
  if (!accessKey.success) {
    throw new Error(
      `${accessKeyPath} is not the local cloud's access key. Delete it, and a new one is made.`,
    );
  }
  let signer: Promise<KeyAndCertificate> | undefined;
  const openSigner = async () => {
    const kept = readPair(folder, 'sns');
    if (kept) return kept;
    const fresh = await issuer.forSigning('sns.local.amazonaws.com');
    writePair(folder, 'sns', fresh);
    return fresh;
  };
  const snsSigner = () => {
    signer ??= openSigner();
    return signer;
  };
  return { caPath: join(folder, 'ca.pem'), server, issuer, snsSigner, ...accessKey.data };
}

/** What is broken of a data folder's credentials, by file; makes nothing. */
export function credentialFaults(dataDir: string): { place: string; what: string }[] {
  const folder = join(dataDir, credentialsName);
  const faults: { place: string; what: string }[] = [];
  const fault = (name: string, what: string) => faults.push({ place: `${credentialsName}/${name}`, what });
  for (const name of ['ca', 'server']) {
    try {
      if (!readPair(folder, name)) fault(`${name}.pem`, 'it is missing: the next start makes a new one');
    } catch (error) {
      fault(`${name}.pem`, error instanceof Error ? error.message : String(error));
    }
  }
  try {
    readPair(folder, 'sns');
  } catch (error) {
    fault('sns.pem', error instanceof Error ? error.message : String(error));
  }
  const path = join(folder, accessKeyName);
  if (!existsSync(path)) fault(accessKeyName, 'it is missing: the next start makes a new one');
  else if (!accessKeySchema.safeParse(parseJson(readFileSync(path, 'utf8'))).success)
    fault(accessKeyName, "it is not the local cloud's access key");
  return faults;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
