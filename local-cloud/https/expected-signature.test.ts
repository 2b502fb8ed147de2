import { createHash, createHmac, hash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
import aws4 from 'aws4';
import fc from 'fast-check';
import { expectedSignature } from './expected-signature.ts';

const keys = { accessKeyId: 'AKIALOCAL0123456789AB', secretAccessKey: 'a-secret' };
const dateTime = '20261127T120000Z';

class Sha256 {
  #hash;
  constructor(secret?: Parameters<typeof createHmac>[1]) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
  }
  update(chunk: Parameters<ReturnType<typeof createHash>['update']>[0]): void {
    this.#hash.update(chunk);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

const part = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
/** The SDK's signer keeps names in a plain object, where this one is lost. */
const name = part.filter((text) => text !== '__proto__');
const request = fc.record({
  path: fc.array(part, { maxLength: 4 }),
  query: fc.dictionary(name, fc.oneof(part, fc.array(part, { minLength: 2, maxLength: 3 })), { maxKeys: 3 }),
  userAgent: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
  body: fc.string({ unit: 'grapheme' }),
  service: fc.constantFrom('iot', 'iotdata', 'dynamodb'),
});

const sorted = (headers: Record<string, string>) =>
  Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));

/** What aws4 makes of a request by itself, with nothing made before. */
function byAws4Alone(
  request: { method: string; path: string; headers: Record<string, string>; body: string },
  scope: { service: string; region: string },
  secretAccessKey: string,
): string {
  const names = Object.keys(request.headers).map((name) => [name, true]);
  const options = {
    ...request,
    ...scope,
    doNotModifyHeaders: true,
    extraHeadersToInclude: Object.fromEntries(names),
  };
  const signer = new aws4.RequestSigner(options, { accessKeyId: keys.accessKeyId, secretAccessKey });
  signer.datetime = dateTime;
  return signer.signature();
}

/** As a client of any kind may send it: what is not encoded, encoded twice, empty, repeated, relative. */
const wirePart = fc.oneof(
  fc.constantFrom(
    '',
    '.',
    '..',
    'a',
    'things',
    '%2F',
    '%25',
    '+',
    '~',
    "!'()*",
    'a=b',
    '%7e',
    ':',
    'ü',
    '%C3%BC',
  ),
  part.map(encodeURIComponent),
);
const wirePath = fc.array(wirePart, { minLength: 1, maxLength: 5 }).map((levels) => `/${levels.join('/')}`);
const wireQuery = fc
  .array(fc.tuple(wirePart, fc.option(wirePart, { nil: undefined })), { maxLength: 4 })
  .map((pairs) => pairs.map(([name, value]) => (value === undefined ? name : `${name}=${value}`)).join('&'));
const headerValue = fc.oneof(
  fc.constantFrom('', ' ', 'one', ' two  words ', 'a,\tb', 'x   y    z', '"a  b"', 'a, b,c', '\u00a0é\u00ff'),
  fc.string(),
);
const headerNames = [
  'user-agent',
  'range',
  'content-length',
  'x-amz-meta-a',
  'x-amz-date',
  '0',
  'constructor',
];

test('whatever was made before for another request, the signature is that of aws4 alone', () => {
  fc.assert(
    fc.property(
      fc.record({
        method: fc.constantFrom('GET', 'POST', 'DELETE'),
        path: wirePath,
        query: fc.option(wireQuery, { nil: undefined }),
        headers: fc.dictionary(fc.constantFrom(...headerNames), headerValue),
        body: fc.string(),
      }),
      fc.record({
        service: fc.constantFrom('iotdata', 'dynamodb'),
        region: fc.constantFrom('local', 'us-east-1'),
      }),
      fc.constantFrom('a-secret', 'another/secret+'),
      ({ path, query, headers, ...rest }, scope, secretAccessKey) => {
        const request = {
          ...rest,
          path: query === undefined ? path : `${path}?${query}`,
          headers: { host: 'localhost:8443', ...headers },
        };
        const parts = {
          ...request,
          ...scope,
          headers: sorted(request.headers),
          bodyHash: hash('sha256', request.body),
          dateTime,
        };
        const expected = byAws4Alone(request, scope, secretAccessKey);
        // The second time with all that was kept.
        for (const _ of [1, 2]) expect(expectedSignature(parts, { secretAccessKey })).toBe(expected);
      },
    ),
    { numRuns: 500 },
  );
});

test("a request that the SDK's own signer signed has the signature that is expected", async () => {
  await fc.assert(
    fc.asyncProperty(request, async ({ path, query, userAgent, body, service }) => {
      // As they go over the wire. The SDK's signer takes `.` and `..` for steps, which no client of AWS sends.
      const levels = path.map((level) => encodeURIComponent(level)).filter((level) => !/^\.+$/.test(level));
      const wirePath = `/${levels.join('/')}`;
      const wireQuery = Object.entries(query)
        .flatMap(([name, value]) =>
          [value].flat().map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`),
        )
        .join('&');
      const headers: Record<string, string> = {
        host: 'localhost:8443',
        'x-amz-date': dateTime,
        ...(userAgent === undefined ? {} : { 'user-agent': userAgent }),
      };
      const signer = new SignatureV4({
        credentials: keys,
        region: 'local',
        service,
        sha256: Sha256 as unknown as ConstructorParameters<typeof SignatureV4>[0]['sha256'],
        applyChecksum: false,
      });
      const signed = await signer.sign(
        { method: 'POST', protocol: 'https:', hostname: 'localhost', path: wirePath, query, headers, body },
        {
          signingDate: new Date('2026-11-27T12:00:00Z'),
          signableHeaders: new Set(Object.keys(headers)),
        },
      );
      const wanted = /Signature=([0-9a-f]{64})$/.exec(signed.headers.authorization ?? '')?.[1];
      const parts = {
        method: 'POST',
        path: wireQuery === '' ? wirePath : `${wirePath}?${wireQuery}`,
        headers: sorted(headers),
        bodyHash: hash('sha256', body),
        service,
        region: 'local',
        dateTime,
      };
      expect(expectedSignature(parts, keys)).toBe(wanted);
      expect(expectedSignature({ ...parts, bodyHash: hash('sha256', `${body}x`) }, keys)).not.toBe(wanted);
    }),
    { numRuns: 300 },
  );
});
