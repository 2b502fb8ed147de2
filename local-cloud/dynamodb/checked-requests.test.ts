import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { rememberChecked } from './checked-requests.ts';
import { check } from './server.ts';

/** Those that are kept are the most likely; among the others what dynalite refuses, drops or rewrites. */
const value = fc.oneof(
  { weight: 6, arbitrary: fc.record({ S: fc.string({ maxLength: 4 }) }) },
  { weight: 6, arbitrary: fc.record({ N: fc.maxSafeInteger().map(String) }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>(
      { N: '007' },
      { N: '1e3' },
      { N: '-0' },
      { N: '1.50' },
      { N: 'x' },
      { N: '' },
      { N: 1 },
      { S: 1 },
      { S: 'a', N: '1' },
      { S: 'a', N: null },
      { S: null },
      { BOOL: 'true' },
      { SS: ['a', 'a'] },
      { L: [{ N: '01' }] },
      {},
      null,
      'a',
    ),
  },
);
const condition = fc.constantFrom(
  undefined,
  undefined,
  '#a = :a',
  '#a < :a AND (#b = :b OR attribute_not_exists(#c))',
  'attribute_exists(#b) AND #b <= :b',
  '#a BETWEEN :a AND :b',
  'size(#a) < :a',
  '#a = :gone',
  '#a = = :a',
  '',
);
const request = fc.record(
  {
    TableName: fc.constantFrom('beam-sign', 'beam-sign', 'x', 7),
    Key: fc.oneof(
      { weight: 5, arbitrary: fc.record({ key: value }) },
      { weight: 1, arbitrary: fc.constantFrom<unknown>(null, [], 'k', {}) },
    ),
    UpdateExpression: fc.constantFrom(
      'SET #a = :a, #b = :b',
      'SET #a = :a',
      'SET #a = :a, #a = :b',
      'ADD #a :a',
    ),
    ConditionExpression: condition,
    ExpressionAttributeNames: fc.constantFrom(
      { '#a': 'height', '#b': 'round' },
      { '#a': 'height' },
      { '#a': 'x.y' },
    ),
    ExpressionAttributeValues: fc.record({ ':a': value, ':b': value }, { requiredKeys: [':a'] }),
    ReturnValues: fc.constantFrom('ALL_NEW', 'ALL_NEW', 'SOME'),
    ConsistentRead: fc.constantFrom(true, 'no'),
    Expected: fc.constant({ a: { Exists: false } }),
  },
  {
    requiredKeys: [
      'TableName',
      'Key',
      'UpdateExpression',
      'ExpressionAttributeNames',
      'ExpressionAttributeValues',
    ],
  },
);
const number = fc.oneof(
  { weight: 4, arbitrary: fc.nat({ max: 20 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('007', '1e3', '-0', '1.50') },
);
/** Half of them much as the signer sends them: most are kept, once they were seen. */
const signed = fc.record({ S: fc.string() }).chain((key) =>
  fc.record({
    TableName: fc.constant('beam-sign'),
    Key: fc.constant({ key }),
    UpdateExpression: fc.constant('SET #a = :a, #b = :b'),
    ConditionExpression: fc.constantFrom(
      '#a < :a',
      '#a < :a OR (#a = :a AND #b < :b)',
      '#a BETWEEN :a AND :b',
    ),
    ExpressionAttributeNames: fc.constant({ '#a': 'height', '#b': 'round' }),
    ExpressionAttributeValues: fc.record({
      ':a': fc.record({ N: number }),
      ':b': fc.oneof(fc.record({ S: fc.string() }), fc.record({ N: number })),
    }),
    ReturnValues: fc.constant('ALL_NEW'),
  }),
);

test('a request that is remembered comes out as dynalite checks it, whatever its values; and one that it refuses is refused', () => {
  const count = { checked: 0, asked: 0, refused: 0 };
  const remembered = rememberChecked((...of) => {
    count.checked += 1;
    return check(...of);
  });
  const outcome = (by: typeof check, operation: string, input: object) => {
    try {
      return { checked: by(operation, structuredClone(input) as Record<string, unknown>, {}) };
    } catch (error) {
      return { error: String(error), body: (error as { body?: unknown }).body };
    }
  };
  fc.assert(
    fc.property(
      fc.constantFrom('UpdateItem', 'UpdateItem', 'DeleteItem'),
      fc.oneof(request, signed),
      (operation, input) => {
        const expected = outcome(check, operation, input);
        for (let times = 0; times < 2; times++) {
          count.asked += 1;
          expect(outcome(remembered, operation, input)).toStrictEqual(expected);
        }
        if ('error' in expected) count.refused += 1;
      },
    ),
    { numRuns: 600, seed: 4 },
  );
  expect(count.asked - count.checked).toBeGreaterThan(200);
  expect(count.refused).toBeGreaterThan(100);
});
