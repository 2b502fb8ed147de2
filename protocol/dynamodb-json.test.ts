import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { fromJsonItem, toJsonItem } from './dynamodb-json.ts';

test('every JSON object comes back as it was', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ noUnicodeString: false })), (value) => {
      const item = { ...value };
      // DynamoDB's numbers have no negative zero.
      const plain = JSON.parse(JSON.stringify(item));
      expect(fromJsonItem(toJsonItem(plain))).toEqual(plain);
    }),
    { numRuns: 200 },
  );
});

test('undefined members are left out, foreign types refused', () => {
  expect(toJsonItem({ a: undefined, b: 1 })).toEqual({ b: { N: '1' } });
  expect(() => fromJsonItem({ a: { SS: ['x'] } })).toThrow();
});
