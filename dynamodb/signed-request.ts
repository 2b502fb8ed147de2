/**
 * A call of DynamoDB's API as it goes over the connection, signed by Signature Version 4. The request is always of one form, so its
 * canonical one is written down, where aws4 takes any request apart; a test holds the two against each other.
 */

import { createHmac, hash } from 'node:crypto';

/** What a request is signed with. */
export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

export interface DynamoRequest {
  /** Such as `GetItem`. */
  operation: string;
  /** With its port where that is not the scheme's own. */
  host: string;
  region: string;
  /** `20261127T101112Z` */
  date: string;
  /** JSON. */
  body: string;
}

const contentType = 'application/x-amz-json-1.0';
const version = 'DynamoDB_20120810';

/** What stands in a header as it is. */
const printable = /^[\x21-\x7e]*$/;

/** @returns head and body. @throws where the credentials are none that a header can hold */
export function signedRequest(request: DynamoRequest, credentials: Credentials): string {
  const { operation, host, date, body } = request;
  const { accessKeyId, sessionToken = '' } = credentials;
  if (!printable.test(accessKeyId) || !printable.test(sessionToken))
    throw new Error('the access key or its session token has characters that none has');
  const scope = `${date.slice(0, 8)}/${request.region}/dynamodb/aws4_request`;
  const names = `content-length;content-type;host;x-amz-date;${sessionToken ? 'x-amz-security-token;' : ''}x-amz-target`;
  const token = sessionToken ? `x-amz-security-token:${sessionToken}\n` : '';
  const length = Buffer.byteLength(body);
  const fields = `content-length:${length}\ncontent-type:${contentType}\nhost:${host}\nx-amz-date:${date}\n${token}x-amz-target:${version}.${operation}\n`;
  const canonical = `POST\n/\n\n${fields}\n${names}\n${hash('sha256', body)}`;
  const signature = createHmac('sha256', signingKey(scope, credentials.secretAccessKey))
    .update(`AWS4-HMAC-SHA256\n${date}\n${scope}\n${hash('sha256', canonical)}`)
    .digest('hex');
  const authorization = `authorization:AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return `POST / HTTP/1.1\r\n${fields.replaceAll('\n', '\r\n')}${authorization}\r\n\r\n${body}`;
}

/** The last one made: it is another each day, and with other credentials. */
let lastKey: { scope: string; secretAccessKey: string; key: Buffer } | undefined;

function signingKey(scope: string, secretAccessKey: string): Buffer {
  if (lastKey?.scope === scope && lastKey.secretAccessKey === secretAccessKey) return lastKey.key;
  const key = scope
    .split('/')
    .reduce<Buffer>(
      (before, part) => createHmac('sha256', before).update(part).digest(),
      Buffer.from(`AWS4${secretAccessKey}`),
    );
  lastKey = { scope, secretAccessKey, key };
  return key;
}
