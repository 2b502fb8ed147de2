/** Checks a request that was signed in its query (AWS Signature Version 4, "presigned"), as MQTT over WebSockets is. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { SignatureV4 } from '@smithy/signature-v4';
import { AwsError } from '../registry/aws-error.ts';
import { clockSkewMsMax, dateOf, Sha256 } from './sigv4.ts';

/** AWS: seven days. */
const expiresSecondsMax = 7 * 24 * 3600;
const service = 'iotdevicegateway';
const emptyHash = createHash('sha256').digest('hex');

const refused = (type: string, message: string) => new AwsError(403, type, message);

/** RFC 3986's unreserved characters stay as they are. */
const encode = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

function canonicalQuery(parameters: URLSearchParams, leftOut: readonly string[]): string {
  return [...parameters]
    .filter(([name]) => !leftOut.includes(name))
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
}

/** @returns the secret of an access key with its session token, undefined where it is not known or over */
export type SecretOf = (accessKeyId: string, sessionToken: string | undefined) => string | undefined;

/** @returns a check that throws an AwsError (403) for a request that none of our keys signed, or too long ago */
export function createPresignedVerifier(
  secretOf: SecretOf,
  nowMs: () => number,
): (request: IncomingMessage) => Promise<string> {
  return async (request) => {
    const url = new URL(request.url ?? '/', 'https://localhost');
    // `+` stands for itself in a signed query.
    const query = new URLSearchParams(url.search.replaceAll('+', '%2B'));
    const signature = query.get('X-Amz-Signature');
    if (signature === null)
      throw refused('MissingAuthenticationTokenException', 'Missing Authentication Token');
    const [accessKeyId = '', day, signingRegion = '', signingService, ending] = (
      query.get('X-Amz-Credential') ?? ''
    ).split('/');
    const date = query.get('X-Amz-Date') ?? '';
    const signingDate = dateOf(date);
    const expiresText = query.get('X-Amz-Expires');
    const expiresMs = expiresText === null ? clockSkewMsMax : Number(expiresText) * 1000;
    if (
      query.get('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256' ||
      ending !== 'aws4_request' ||
      !signingDate ||
      date.slice(0, 8) !== day ||
      !(expiresMs > 0 && expiresMs <= expiresSecondsMax * 1000)
    ) {
      throw refused(
        'IncompleteSignatureException',
        "The query's X-Amz- parameters are not complete or not valid.",
      );
    }
    if (signingService !== service) {
      throw refused(
        'InvalidSignatureException',
        `Credential should be scoped to correct service: '${service}'.`,
      );
    }
    const sessionToken = query.get('X-Amz-Security-Token') ?? undefined;
    const secretAccessKey = secretOf(accessKeyId, sessionToken);
    if (secretAccessKey === undefined) {
      throw refused('UnrecognizedClientException', 'The security token included in the request is invalid.');
    }
    const ageMs = nowMs() - signingDate.getTime();
    if (ageMs < -clockSkewMsMax || ageMs > expiresMs) {
      throw refused('InvalidSignatureException', `Signature expired: ${date}, for ${expiresMs / 1000} s.`);
    }
    const names = (query.get('X-Amz-SignedHeaders') ?? '').split(';');
    if (!names.includes('host')) {
      throw refused('IncompleteSignatureException', "The 'host' header is not signed.");
    }

    const signer = new SignatureV4({
      credentials: { accessKeyId, secretAccessKey },
      region: signingRegion,
      service,
      sha256: Sha256,
    });
    const host = request.headers.host ?? '';
    const headersOf = (hostName: string) =>
      names.map((name) => {
        const value = name === 'host' ? hostName : String(request.headers[name] ?? '');
        return `${name}:${value.trim().replace(/ +/g, ' ')}`;
      });
    // AWS IoT wants the session token behind the signature; some sign the host's name without its port.
    const tries = [['X-Amz-Signature'], ['X-Amz-Signature', 'X-Amz-Security-Token']].flatMap((leftOut) =>
      [host, host.replace(/:\d+$/, '')].map((hostName) => {
        const canonical = [
          ...['GET', url.pathname, canonicalQuery(query, leftOut)],
          ...[...headersOf(hostName), '', names.join(';'), emptyHash],
        ];
        const hash = createHash('sha256').update(canonical.join('\n')).digest('hex');
        return ['AWS4-HMAC-SHA256', date, `${day}/${signingRegion}/${service}/aws4_request`, hash].join('\n');
      }),
    );
    for (const stringToSign of tries) {
      const expected = await signer.sign(stringToSign, { signingDate, signingRegion, signingService });
      const [a, b] = [Buffer.from(expected), Buffer.from(signature)];
      if (a.length === b.length && timingSafeEqual(a, b)) return accessKeyId;
    }
    throw refused(
      'InvalidSignatureException',
      'The request signature we calculated does not match the signature you provided. Check your Secret Access Key.',
    );
  };
}
