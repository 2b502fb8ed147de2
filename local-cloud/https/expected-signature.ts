/** The signature that a request must carry, by aws4, in one go: with promises it took longer than a shadow update's whole work. */

import aws4 from 'aws4';

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
    extraHeadersToInclude: Object.fromEntries(Object.keys(headers).map((name) => [name, true])),
  });
  return signer.signature();
}
