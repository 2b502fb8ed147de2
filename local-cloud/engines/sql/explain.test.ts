import { expect, test } from '@jest/globals';
import { type Explanation, explain } from './explain.ts';
import { parseExpressionAt } from './parser.ts';
import { message, payload } from './sample-message.ts';
import { show } from './show.ts';
import type { Expression } from './syntax.ts';

const parse = (text: string): Expression => parseExpressionAt(text, 0).expression;
/** Without the places of calls, which move with the text. */
const shape = (text: string) =>
  JSON.parse(JSON.stringify(parse(text), (key, value) => (key === 'at' ? undefined : value)));

test.each([
  'a OR b AND NOT (c OR d)',
  '(a AND b) AND (c AND d)',
  'a - (b - c) - -d * (e + 1) / 2 % 3',
  '(1 + 2) * -(a + 1)',
  "get({'it': \"it's\", 'n': [1, 2.5, Null, true]}, 'it').x.y <> 'z'",
  '(a IN [1, 2]) = (NOT b = c)',
  "CASE color.name WHEN 'Red' THEN 1 + 1 ELSE cast(x AS Int) END",
  "get((SELECT VALUE (-v) FROM e WHERE n = 'x' AND v > 1), 0) > 3",
  '(SELECT *, v AS w.x FROM e.f)',
  "regexp_matches(topic(2), '^a') AND isUndefined(missing) AND encode(*, 'base64') = 'x'",
  '1e300 < 1.5e-7',
])('%s: shown, it parses to the same', (text) => {
  expect(shape(show(parse(text)))).toEqual(shape(text));
});

test('each part of a condition has its own value, down to what was read', () => {
  const flat = ({ text, value, parts }: Explanation): unknown[] => [[text, value], ...parts.flatMap(flat)];
  const where = parse("temperature > 60 OR (color.name = 'Red' AND NOT missing.x = upper(text))");
  expect(flat(explain(where, payload, message(payload)))).toEqual([
    ["temperature > 60 OR color.name = 'Red' AND NOT missing.x = upper(text)", undefined],
    ['temperature > 60', false],
    ['temperature', 50],
    ["color.name = 'Red' AND NOT missing.x = upper(text)", undefined],
    ["color.name = 'Red'", true],
    ['color.name', 'Red'],
    ['NOT missing.x = upper(text)', undefined],
    ['missing.x = upper(text)', undefined],
    ['missing.x', undefined],
    ['upper(text)', 'ABC'],
    ['text', 'abc'],
  ]);
});
