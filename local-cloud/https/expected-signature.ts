/**
 * The signature that a request must carry, by aws4. What one request of a client has in common with the next is made once: for a small
 * request, making all of it anew took longer than the request's whole work.
 */

import { hash } from 'node:crypto';
import aws4 from 'aws4';
import { remembering } from '../remembering.ts';

export interface SignedParts {
  method: string;
  /** As it came, with its query. */
  path: string;
  /** The signed ones alone: names in lower case, sorted, each once. */
  headers: readonly (readonly [name: string, value: string])[];
  /** SHA-256, hex. */
  bodyHash: string;
  service: string;
  region: string;
  /** `x-amz-date`'s value. */
  dateTime: string;
}

/** Signs one request after the other, of which it is told the canonical form's hash. */
class ScopeSigner extends aws4.RequestSigner {
  canonicalHash = '';

  override stringToSign(): string {
    return `AWS4-HMAC-SHA256\n${this.getDateTime()}\n${this.credentialString()}\n${this.canonicalHash}`;
  }
}

const signersKeptMax = 200;
const signers = new Map<string, ScopeSigner>();

function signerOf(secretAccessKey: string, region: string, service: string): ScopeSigner {
  const key = `${secretAccessKey} ${region} ${service}`;
  let signer = signers.get(key);
  if (signer === undefined) {
    signer = new ScopeSigner({ host: 'localhost', region, service }, { accessKeyId: '', secretAccessKey });
    if (signers.size >= signersKeptMax) signers.clear();
    signers.set(key, signer);
  }
  return signer;
}

const pathsKeptMax = 1000;
/** The canonical request's lines of path and query, as aws4 writes them for every service but S3, which is not here. */
const pathLines = remembering(pathsKeptMax, (path) => {
  const signer = new aws4.RequestSigner(
    { path, host: 'localhost', doNotModifyHeaders: true },
    { accessKeyId: '', secretAccessKey: '' },
  );
  return signer.canonicalString().split('\n').slice(1, 3).join('\n');
});

/** @returns 64 hex digits */
export function expectedSignature(
  { method, path, headers, bodyHash, service, region, dateTime }: SignedParts,
  { secretAccessKey }: { secretAccessKey: string },
): string {
  let lines = '';
  let names = '';
  for (const [name, value] of headers) {
    lines += `${name}:${value.trim().replace(/\s+/g, ' ')}\n`;
    names += names === '' ? name : `;${name}`;
  }
  const signer = signerOf(secretAccessKey, region, service);
  signer.datetime = dateTime;
  const canonical = `${method}\n${pathLines(path)}\n${lines}\n${names}\n${bodyHash}`;
  signer.canonicalHash = hash('sha256', canonical);
  return signer.signature();
}
