import { expect, test } from '@jest/globals';
import { parsePayload } from './message.ts';
import { run } from './sample-message.ts';

const xs = 'x'.repeat(40);

test.each([
  ["SELECT regexp_matches(a, '(x+x+)+y') AS r FROM 'a'", /regexp_matches took longer than 100 ms/],
  ["SELECT regexp_substr(a, '(x+x+)+y') AS r FROM 'a'", /regexp_substr took longer/],
  ["SELECT regexp_replace(a, '(x+x+)+y', 'z') AS r FROM 'a'", /regexp_replace took longer/],
])('a pattern that goes back and forth ends: %s', (sql, message) => {
  expect(() => run(sql, { a: xs })).toThrow(message);
  expect(run("SELECT regexp_substr(a, 'x{3}') AS r FROM 'a'", { a: xs })).toEqual({ r: 'xxx' });
});

test('a replacement that makes megabytes of a message is refused, blanks at the end are looked at once', () => {
  const a = 'a'.repeat(100_000);
  expect(() => run("SELECT replace(a, 'a', a) AS r FROM 'a'", { a })).toThrow(/replace would make/);
  expect(() => run("SELECT regexp_replace(a, 'a', a) AS r FROM 'a'", { a })).toThrow(/regexp_replace/);
  const blanks = `${' '.repeat(120_000)}x \t`;
  const since = performance.now();
  expect(run("SELECT length(rtrim(a)) AS r FROM 'a'", { a: blanks })).toEqual({ r: 120_001 });
  expect(performance.now() - since).toBeLessThan(1_000);
});

test('a payload of thousands of levels is no JSON to a rule', () => {
  const nested = (levels: number) => Buffer.from(`${'['.repeat(levels)}${']'.repeat(levels)}`);
  expect(parsePayload(nested(20_000))).toBeUndefined();
  expect(parsePayload(nested(900))).toBeDefined();
});
