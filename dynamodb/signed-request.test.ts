import { expect, test } from '@jest/globals';
import aws4 from 'aws4';
import * as fc from 'fast-check';
import { signedRequest } from './signed-request.ts';

const token = fc.stringMatching(/^[A-Za-z0-9+/=]{1,60}$/);
const request = fc.record({
  operation: fc.constantFrom('GetItem', 'UpdateItem'),
  host: fc.constantFrom('dynamodb.eu-central-1.amazonaws.com', '127.0.0.1:8443', '[::1]:80'),
  region: fc.constantFrom('eu-central-1', 'local'),
  date: fc.constantFrom('20261127T101112Z', '20261128T000000Z'),
  body: fc.json(),
});
const credentials = fc.record(
  { accessKeyId: token, secretAccessKey: fc.constantFrom('one', 'zwei', 'ü'), sessionToken: token },
  { requiredKeys: ['accessKeyId', 'secretAccessKey'] },
);

test('a request is signed as aws4 signs it, and its length is that of its body', () => {
  fc.assert(
    fc.property(request, credentials, ({ operation, host, region, date, body }, keys) => {
      const { headers = {} } = aws4.sign(
        {
          service: 'dynamodb',
          region,
          host,
          method: 'POST',
          path: '/',
          headers: {
            'Content-Type': 'application/x-amz-json-1.0',
            'X-Amz-Target': `DynamoDB_20120810.${operation}`,
            'X-Amz-Date': date,
          },
          body,
        },
        keys,
      );
      const [head = '', sent] = signedRequest({ operation, host, region, date, body }, keys).split(
        '\r\n\r\n',
      );
      const [first, ...lines] = head.split('\r\n');
      expect(first).toBe('POST / HTTP/1.1');
      const fields = lines.map((line) => /^([a-z0-9-]+):(.*)$/.exec(line)?.slice(1) ?? []);
      const lowerCase = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
      expect(Object.fromEntries(fields)).toEqual(Object.fromEntries(lowerCase));
      expect(sent).toBe(body);
    }),
    { numRuns: 100, seed: 4 },
  );
});

test('credentials never add a line to the head', () => {
  const request = { operation: 'GetItem', host: 'h', region: 'r', date: '20261127T101112Z', body: '{}' };
  const keys = { accessKeyId: 'a', secretAccessKey: 'b' };
  expect(() => signedRequest(request, { ...keys, sessionToken: 'x\r\nhost:other' })).toThrow('session token');
  expect(() => signedRequest(request, { ...keys, accessKeyId: 'a b' })).toThrow('access key');
});
