/** Checks AWS Signature Version 4: signs the request again with the key that we know, and compares. */

import { createHash, createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createSessions, type Sessions } from '../credentials-provider/sessions.ts';
import { AwsError } from '../registry/aws-error.ts';
import { remembering } from '../remembering.ts';
import type { Authorization } from './authorization.ts';
import { expectedSignature } from './expected-signature.ts';

type Bytes = string | ArrayBuffer | ArrayBufferView;
const bytes = (data: Bytes): Uint8Array =>
  typeof data === 'string'
    ? Buffer.from(data)
    : ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data);

/** SHA-256 or its HMAC, as the signer wants it. */
export class Sha256 {
  #hash;
  #key: Uint8Array | undefined;
  constructor(secret?: Bytes) {
    this.#key = secret === undefined ? undefined : bytes(secret);
    this.#hash = this.#start();
  }
  #start() {
    return this.#key === undefined ? createHash('sha256') : createHmac('sha256', this.#key);
  }
  update(chunk: Bytes): void {
    this.#hash.update(bytes(chunk));
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {
    this.#hash = this.#start();
  }
}

/** AWS refuses requests that were signed longer ago, or further ahead. */
export const clockSkewMsMax = 5 * 60 * 1000;

const refused = (type: string, message: string) => new AwsError(403, type, message);

export function dateOf(text: string): Date | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!parts) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

const datesKeptMax = 100;
const signingDateOf = remembering(datesKeptMax, dateOf);

/** Whose request it is: the cloud's own access key may do everything, a role what its statements say. */
export type Caller = { kind: 'owner' } | { kind: 'role'; roleAlias: string; certificateId: string };
/** @param authorization the request's, undefined where it has none, or one of another kind */
export type VerifyRequest = (
  request: IncomingMessage,
  authorization: Authorization | undefined,
  body: Buffer,
) => Caller;

function signedHeader({ headers }: IncomingMessage, name: string): string {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (value === undefined)
    throw refused('InvalidSignatureException', `The signed header ${name} is missing.`);
  return Array.isArray(value) ? value.join(',') : value;
}

/** @returns a check that throws an AwsError (403) for a request that this key did not sign */
export function createVerifier(
  credentials: { accessKeyId: string; secretAccessKey: string },
  nowMs: () => number,
  sessions: Sessions = createSessions(credentials.secretAccessKey),
): VerifyRequest {
  const bySession = (accessKeyId: string, sessionToken: unknown) => {
    const session = typeof sessionToken === 'string' ? sessions.read(accessKeyId, sessionToken) : undefined;
    if (!session) {
      throw refused('UnrecognizedClientException', 'The security token included in the request is invalid.');
    }
    if (nowMs() / 1000 >= session.expiresAt) {
      throw refused('ExpiredTokenException', 'The security token included in the request is expired');
    }
    const { roleAlias, certificateId, secretAccessKey } = session;
    const caller: Caller = { kind: 'role', roleAlias, certificateId };
    return { keys: { accessKeyId, secretAccessKey }, caller };
  };

  return (request, authorization, body) => {
    if (!request.headers.authorization)
      throw refused('MissingAuthenticationTokenException', 'Missing Authentication Token');
    if (!authorization) {
      throw refused(
        'IncompleteSignatureException',
        'The Authorization header is not a Signature Version 4 one.',
      );
    }
    const { signature } = authorization;
    const { accessKeyId, day, region, service, signedNames } = authorization.scope;
    const { keys, caller } =
      accessKeyId === credentials.accessKeyId
        ? { keys: credentials, caller: { kind: 'owner' } as const }
        : bySession(accessKeyId, request.headers['x-amz-security-token']);
    const dateHeader = request.headers['x-amz-date'];
    const signingDate = typeof dateHeader === 'string' ? signingDateOf(dateHeader) : undefined;
    if (typeof dateHeader !== 'string' || !signingDate || dateHeader.slice(0, 8) !== day) {
      throw refused('IncompleteSignatureException', 'The request has no valid x-amz-date header.');
    }
    if (Math.abs(nowMs() - signingDate.getTime()) > clockSkewMsMax) {
      throw refused(
        'InvalidSignatureException',
        `Signature expired: ${String(dateHeader)} is more than 5 minutes from the server's time.`,
      );
    }
    const bodyHash = hash('sha256', body);
    const contentHash = request.headers['x-amz-content-sha256'];
    if (contentHash !== undefined && contentHash !== bodyHash) {
      throw refused('InvalidSignatureException', 'The body does not match x-amz-content-sha256.');
    }
    if (!signedNames.includes('host'))
      throw refused('IncompleteSignatureException', "The 'host' header is not signed.");
    const headers = signedNames.map((name) => [name, signedHeader(request, name)] as const);
    const expected = expectedSignature(
      {
        method: request.method ?? 'GET',
        path: request.url ?? '/',
        headers,
        bodyHash,
        service,
        region,
        dateTime: dateHeader,
      },
      keys,
    );
    const equal =
      expected.length === signature.length && timingSafeEqual(Buffer.from(expected), Buffer.from(signature));
    if (!equal) {
      throw refused(
        'InvalidSignatureException',
        'The request signature we calculated does not match the signature you provided. Check your Secret Access Key.',
      );
    }
    return caller;
  };
}
