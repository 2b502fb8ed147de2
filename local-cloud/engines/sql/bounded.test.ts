import { expect, test } from '@jest/globals';
import { readPayload } from './message.ts';
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

test('no statement is evaluated on a number that no double holds: without it a WHERE may be true', () => {
  const beyond = Buffer.from(`{"a":[{"b":${'9'.repeat(400)}}],"c":1}`);
  for (const sql of ["SELECT * FROM 'a'", "SELECT c FROM 'a' WHERE isUndefined(a)"])
    expect(() => run(sql, beyond)).toThrow(
      'In the message the number at a[0].b is beyond what a double holds',
    );
  const encoded = beyond.toString('base64');
  expect(run("SELECT decode(a, 'base64') AS r, c FROM 'a'", { a: encoded, c: 1 })).toEqual({ c: 1 });
});

test('a payload of thousands of levels is no JSON to a rule', () => {
  const nested = (levels: number) => Buffer.from(`${'['.repeat(levels)}${']'.repeat(levels)}`);
  expect(readPayload(nested(20_000))).toEqual({ payload: undefined });
  expect(readPayload(nested(900)).payload).toBeDefined();
});
