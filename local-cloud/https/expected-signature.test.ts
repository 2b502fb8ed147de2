import { createHash, createHmac } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
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
        headers,
        body: Buffer.from(body),
        service,
        region: 'local',
        dateTime,
      };
      expect(expectedSignature(parts, keys)).toBe(wanted);
      expect(expectedSignature({ ...parts, body: Buffer.from(`${body}x`) }, keys)).not.toBe(wanted);
    }),
    { numRuns: 300 },
  );
});
