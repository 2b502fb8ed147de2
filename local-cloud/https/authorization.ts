/** The Authorization header of a Signature Version 4 request. */

import { remembering } from '../remembering.ts';

export interface SignatureScope {
  accessKeyId: string;
  /** YYYYMMDD */
  day: string;
  region: string;
  service: string;
  /** Sorted, each once. */
  signedNames: readonly string[];
}

const keptMax = 1000;
const signaturePart = /Signature=([0-9a-f]{64})$/;
const scopePart =
  /^AWS4-HMAC-SHA256\s+Credential=([^/,\s]+)\/(\d{8})\/([^/,\s]+)\/([^/,\s]+)\/aws4_request,\s*SignedHeaders=([^,\s]+),\s*$/;

/** All but the signature is the same in one request after the other of a client. */
const scopeOf = remembering<SignatureScope | null>(keptMax, (text) => {
  const [, accessKeyId, day, region, service, names] = scopePart.exec(text) ?? [];
  if (!accessKeyId || !day || !region || !service || !names) return null;
  return { accessKeyId, day, region, service, signedNames: [...new Set(names.split(';'))].sort() };
});

export interface Authorization {
  scope: SignatureScope;
  /** 64 hex digits */
  signature: string;
}

/** @returns undefined where it is not one of Signature Version 4 */
export function parseAuthorization(header: string | undefined): Authorization | undefined {
  const at = header?.lastIndexOf('Signature=') ?? -1;
  if (header === undefined || at < 0) return undefined;
  const scope = scopeOf(header.slice(0, at));
  const signature = signaturePart.exec(header.slice(at))?.[1];
  return scope && signature !== undefined ? { scope, signature } : undefined;
}
