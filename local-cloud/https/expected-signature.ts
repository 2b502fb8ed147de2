/** The signature that a request must carry, by aws4, in one go: with promises it took longer than a shadow update's whole work. */

import aws4 from 'aws4';
import { remembering } from '../remembering.ts';

export interface SignedParts {
  method: string;
  /** As it came, with its query. */
  path: string;
  /** The signed ones alone, names in lower case. */
  headers: Record<string, string>;
  body: Buffer;
  service: string;
  region: string;
  /** `x-amz-date`'s value. */
  dateTime: string;
}

const pathsKeptMax = 1000;
/** As aws4 takes a path and its query apart. */
const parsedPath = remembering(pathsKeptMax, (path) => {
  const signer = new aws4.RequestSigner(
    { path, host: 'localhost' },
    { accessKeyId: '', secretAccessKey: '' },
  );
  (signer as unknown as { parsePath(): void }).parsePath();
  return (signer as unknown as { parsedPath: object }).parsedPath;
});

/** @returns 64 hex digits */
export function expectedSignature(
  { method, path, headers, body, service, region, dateTime }: SignedParts,
  keys: { accessKeyId: string; secretAccessKey: string },
): string {
  const signer = new aws4.RequestSigner(
    { method, path, headers, body, service, region, doNotModifyHeaders: true },
    keys,
  );
  signer.datetime = dateTime;
  // By itself it leaves some out, user-agent for one: whoever signed them wants them in.
  Object.assign(signer, {
    parsedPath: parsedPath(path),
    extraHeadersToInclude: Object.fromEntries(Object.keys(headers).map((name) => [name, true])),
  });
  return signer.signature();
}
