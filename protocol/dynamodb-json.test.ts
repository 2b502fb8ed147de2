import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { fromJsonItem, toJsonItem } from './dynamodb-json.ts';

test('every JSON object comes back as it was', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ noUnicodeString: false })), (value) => {
      const item = { ...value };
      // DynamoDB's numbers have no negative zero; a member named __proto__ is none of ours and is left out.
      const plain = JSON.parse(JSON.stringify(item), (_, member) => withoutProto(member));
      expect(fromJsonItem(toJsonItem(plain))).toEqual(plain);
    }),
    { numRuns: 200 },
  );
});

function withoutProto(member: unknown): unknown {
  if (member !== null && typeof member === 'object') Reflect.deleteProperty(member, '__proto__');
  return member;
}

test('a member named __proto__ is left out, and changes nobody’s prototype', () => {
  const hostile = JSON.parse('{"a":1,"__proto__":{"polluted":true},"b":[{"__proto__":{"polluted":true}}]}');
  const back = fromJsonItem(toJsonItem(hostile));
  expect(Object.keys(back)).toEqual(['a', 'b']);
  expect([back, back.b].map((one) => Reflect.get(Object(one), 'polluted'))).toEqual([undefined, undefined]);
});

test('undefined members are left out, foreign types refused', () => {
  expect(toJsonItem({ a: undefined, b: 1 })).toEqual({ b: { N: '1' } });
  expect(() => fromJsonItem({ a: { SS: ['x'] } })).toThrow();
});
