import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parseStatement } from './parser.ts';

test.each([
  ['', 1, /SELECT is expected, not the end/],
  ["UPDATE x FROM 'a'", 1, /SELECT is expected/],
  ["SET @x = 1 SELECT * FROM 'a'", 1, /SET clause is not in this engine/],
  ['SELECT * FROM a', 15, /topic filter in single quotes/],
  ['SELECT * FROM "a"', 15, /topic filter in single quotes/],
  ["SELECT * FROM 'a' WHERE", 24, /an expression is expected, not the end/],
  ["SELECT * FROM 'a' WHERE x LIKE 'y%'", 27, /LIKE is not expected/],
  ["SELECT * FROM 'a' WHERE x IS NULL", 27, /IS is not expected/],
  ["SELECT * FROM 'a' WHERE x BETWEEN 1 AND 2", 27, /BETWEEN is not expected/],
  ["SELECT * FROM 'a' WHERE x != 1", 27, /write <> for !=/],
  ["SELECT * FROM 'a' WHERE x == 1", 28, /an expression is expected, not =/],
  ["SELECT * FROM 'a' WHERE 1 < x < 3", 31, /do not chain/],
  ["SELECT * FROM 'a' GROUP BY x", 19, /GROUP is not expected/],
  ["SELECT * FROM 'a' -- all", 19, /no comments/],
  ["SELECT * FROM 'a';", 18, /without ;/],
  ["SELECT x, * FROM 'a'", 11, /\* comes first/],
  ["SELECT DISTINCT x FROM 'a'", 8, /DISTINCT/],
  ["SELECT topic() FROM 'a'", 8, /needs a name/],
  ["SELECT 5 FROM 'a'", 8, /needs a name/],
  ["SELECT a AS b c FROM 'a'", 15, /c is not expected/],
  ["SELECT VALUE a, b FROM 'a'", 15, /SELECT VALUE takes one/],
  ["SELECT VALUE -1 FROM 'a'", 8, /VALUE before a minus/],
  ["SELECT `a` FROM 'a'", 8, /get\(\*, 'name'\)/],
  ["SELECT a[0] FROM 'a'", 9, /get\(array, index\)/],
  ["SELECT end FROM 'a'", 8, /end is not expected/],
  ["SELECT 'it\\'s' AS x FROM 'a'", 11, /a backslash in a string/],
  ["SELECT 'it''s' AS x FROM 'a'", 11, /doubled '/],
  ["SELECT 'open AS x", 8, /without its closing '/],
  ["SELECT 5abc AS x FROM 'a'", 8, /runs into a name/],
  ["SELECT 1e999 AS x FROM 'a'", 8, /beyond double precision/],
  ["SELECT x AS y, ? AS z FROM 'a'", 16, /"\?" means nothing/],
  ["SELECT nosuch(1) AS x FROM 'a'", 8, /nosuch\(\) is not a function/],
  ["SELECT get_secret('arn', *) AS x FROM 'a'", 8, /get_secret\(\) is not in the local cloud/],
  ["SELECT upper() AS x FROM 'a'", 8, /upper\(\) takes 1 arguments, not 0/],
  ["SELECT substring(a) AS x FROM 'a'", 8, /takes 2 to 3 arguments/],
  ["SELECT encode(a, 'hex') AS x FROM 'a'", 8, /the scheme is the literal 'base64'/],
  ["SELECT transform('merge', a, b) AS x FROM 'a'", 8, /the mode is the literal/],
  ["SELECT regexp_matches(a, '(') AS x FROM 'a'", 8, /not a regular expression/],
  ["SELECT regexp_matches(a, 'a++') AS x FROM 'a'", 8, /not a regular expression/],
  ["SELECT parse_time('yyyy-ww', 1) AS x FROM 'a'", 8, /w in "yyyy-ww" is not a pattern letter/],
  ["SELECT parse_time('yyyy', 1, 'Mars/Base') AS x FROM 'a'", 8, /Mars\/Base/],
  ["SELECT time_to_epoch(a, 'LLLL') AS x FROM 'a'", 8, /L in "LLLL"/],
  ["SELECT cast(a AS date) AS x FROM 'a'", 18, /cast to date is not known/],
  ["SELECT CASE WHEN a = 1 THEN 2 END AS x FROM 'a'", 13, /CASE takes a value/],
  ["SELECT CASE a END AS x FROM 'a'", 15, /CASE needs a WHEN/],
  ["SELECT (SELECT a FROM 'b') AS x FROM 'a'", 23, /nested SELECT reads from an attribute/],
  ["SELECT {a: 1} AS x FROM 'a'", 9, /a key of an object is a string/],
  ["SELECT - -1 AS x FROM 'a'", 10, /doubled minus/],
])('refused at load: %s', (sql, column, fault) => {
  expect(() => parseStatement(sql)).toThrow(fault);
  expect(() => parseStatement(sql)).toThrow(`SQL line 1, column ${column}: `);
});

test('depth and length are bounded', () => {
  expect(() => parseStatement(`SELECT ${'('.repeat(100)}1${')'.repeat(100)} AS x FROM 'a'`)).toThrow(
    /nest deeper/,
  );
  expect(() => parseStatement(`SELECT ${'1+'.repeat(1500)}1 AS x FROM 'a'`)).toThrow(/more than 2000 words/);
  expect(() => parseStatement(`SELECT '${'x'.repeat(20_000)}' AS x FROM 'a'`)).toThrow(/more than 16384/);
});

test('the place of an error counts lines', () => {
  expect(() => parseStatement("SELECT a,\n  b !! c\nFROM 'a'")).toThrow('SQL line 2, column 5: ');
});

test('any text either parses or is an SqlError', () => {
  const words = fc.constantFrom(
    ...'SELECT FROM WHERE AS VALUE AND NOT IN CASE WHEN THEN END a b . , ( ) [ ] { } : * - + = < \'x\' "y" 5 topic('.split(
      ' ',
    ),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(words, { maxLength: 20 }).map((all) => `SELECT ${all.join(' ')}`),
      ),
      (text) => {
        try {
          parseStatement(text);
        } catch (error) {
          expect((error as Error).name).toBe('SqlError');
        }
      },
    ),
    { numRuns: 1000 },
  );
});
