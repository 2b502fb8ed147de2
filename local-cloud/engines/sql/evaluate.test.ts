import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { evaluateStatement } from './evaluate.ts';
import { parseStatement } from './parser.ts';
import { evaluateText, message, payload, run } from './sample-message.ts';
import { fillTemplate, parseTemplate } from './template.ts';

test.each<[string, unknown]>([
  ["SELECT * FROM 'a'", payload],
  ["SELECT color.red FROM 'a'", { red: 255 }],
  [
    "select temperature as t, color.name as out.name, text as out.text from 'a'",
    { t: 50, out: { name: 'Red', text: 'abc' } },
  ],
  ["SELECT missing, temperature FROM 'a'", { missing: undefined, temperature: 50 }],
  ["SELECT nothing FROM 'a'", { nothing: null }],
  ["SELECT VALUE text FROM 'a'", 'abc'],
  ["SELECT VALUE list FROM 'a'", [3, 1, 2]],
  ["SELECT VALUE missing FROM 'a'", undefined],
  ["SELECT VALUE * FROM 'a'", payload],
  ["SELECT value FROM 'a'", { value: 5 }],
  ["SELECT value AS v, value * 2 AS w FROM 'a'", { v: 5, w: 10 }],
  ["SELECT (temperature - 32) * 5 / 9 AS celsius, upper(text) AS my FROM 'a'", { celsius: 10, my: 'ABC' }],
  ["SELECT (SELECT VALUE n FROM e) AS sensors FROM 'a'", { sensors: ['temperature', 'light'] }],
  ["SELECT (SELECT v FROM e WHERE n = 'temperature') AS t FROM 'a'", { t: [{ v: 22.5 }] }],
  ["SELECT get((SELECT v FROM e WHERE n = 'temperature'), 0).v AS t FROM 'a'", { t: 22.5 }],
  ["SELECT (SELECT red FROM color) AS c FROM 'a'", { c: { red: 255 } }],
  ["SELECT (SELECT x FROM temperature) AS c FROM 'a'", { c: undefined }],
  ["SELECT {'a': get(list, 0), 'b': [text, yes]} AS o FROM 'a'", { o: { a: 3, b: ['abc', true] } }],
  ["SELECT temperature FROM 'a' WHERE temperature > 50", 'does not fire'],
  ["SELECT temperature FROM 'a' WHERE temperature >= 50 AND color.name <> 'red'", { temperature: 50 }],
  ["SELECT temperature FROM 'a' WHERE yes", { temperature: 50 }],
  ["SELECT temperature FROM 'a' WHERE temperature", 'does not fire'],
  ["SELECT temperature FROM 'a' WHERE missing = 5", 'does not fire'],
  ["SELECT temperature FROM 'a' WHERE missing <> 5", 'does not fire'],
  ["SELECT temperature FROM 'a' WHERE NOT missing", 'does not fire'],
  ["SELECT temperature FROM 'a' WHERE isUndefined(missing)", { temperature: 50 }],
  ['SELECT temperature', { temperature: 50 }],
])('%s', (sql, expected) => {
  expect(run(sql, payload)).toEqual(expected);
});

test('an item wins over the attribute of the message with its name; the message itself is not changed', () => {
  const sent = { sender: 'forged', a: { b: 1, c: 2 } };
  const given = message(sent);
  const result = evaluateStatement(parseStatement("SELECT *, topic(3) AS sender, 5 AS a.b FROM 'x'"), given);
  expect(result).toEqual({ fires: true, output: { sender: 'demo_val1', a: { b: 5, c: 2 } } });
  expect(given.payload).toEqual(sent);
});

test('bytes that are no JSON pass through SELECT * alone; what needs JSON fails', () => {
  const bytes = Buffer.from([0xff, 0x00, 0x7b]);
  expect(run("SELECT * FROM 'a'", bytes)).toEqual(bytes);
  expect(run("SELECT encode(*, 'base64') AS data FROM 'a'", bytes)).toEqual({ data: '/wB7' });
  expect(() => run("SELECT *, 1 AS one FROM 'a'", bytes)).toThrow(/needs a message that is a JSON object/);
  expect(run("SELECT * FROM 'a' WHERE x = 1", bytes)).toBe('does not fire');
});

test('names of Object.prototype are not in a message', () => {
  expect(run("SELECT toString, constructor.name AS n FROM 'a'", {})).toEqual({});
  expect(run("SELECT * FROM 'a'", Buffer.from('{"__proto__":{"x":1}}'))).toHaveProperty(
    ['__proto__', 'x'],
    1,
  );
});

test.each<[string, unknown]>([
  // Undefined in, Undefined out.
  ['missing + 1', undefined],
  ['missing = missing', undefined],
  ['missing <> 1', undefined],
  ['missing < 1', undefined],
  ['missing AND true', undefined],
  ['true OR missing', undefined],
  ['NOT missing', undefined],
  ['-missing', undefined],
  ['missing IN [1]', undefined],
  ['1 IN missing', undefined],
  ['CASE missing WHEN 1 THEN 2 ELSE 3 END', undefined],
  ['missing.deeper.still', undefined],
  ['cast(missing AS int)', undefined],
  // Comparison.
  ['1 = 1.0', true],
  ["1 = '1'", false],
  ["1 <> '1'", true],
  ["'10' > 9", true],
  ["'abc' > 9", undefined],
  ['true > false', undefined],
  ['null = null', true],
  ['null <> null', false],
  ['null = 0', false],
  ['null < 1', undefined],
  ['[1, [2]] = [1, [2]]', true],
  ['[1, 2] = [2, 1]', false],
  ["{'a': 1, 'b': 2} = {'b': 2, 'a': 1}", true],
  ['3 IN list', true],
  ['4 IN list', false],
  ['4 IN 4', undefined],
  // Logic.
  ["'TRUE' AND true", true],
  ["'maybe' AND true", undefined],
  ['true OR false AND false', true],
  ['NOT true = false', true],
  ['1 + 1 = 2 AND NOT 2 > 3', true],
  // Arithmetic.
  ['1 + 2 * 3 - 4 / 2', 5],
  ['7 / 2', 3],
  ['-7 / 2', -3],
  ['7 / 2.5', 2.8],
  ["'7' / 2", 3.5],
  ['1 / 0', undefined],
  ['7 % 4', 3],
  ["'a' + 1 + 2", 'a12'],
  ["1 + 2 + 'a'", '3a'],
  ["'a' + null", undefined],
  ['true + 1', undefined],
  ['-(-3)', 3],
  ["2 - '1'", 1],
  // CASE.
  ["CASE color.name WHEN 'Blue' THEN 1 WHEN 'Red' THEN 2 END", 2],
  ['CASE text WHEN 1 THEN 1 END', undefined],
  ['CASE text WHEN 1 THEN 1 ELSE 9 END', 9],
  // cast.
  ['cast(true AS Int)', 1],
  ['cast(2.9 AS integer)', 2],
  ["cast('5E-1' AS decimal)", 0.5],
  ['cast(0 AS bool)', false],
  ["cast('False' AS boolean)", false],
  ['cast(5 AS boolean)', true],
  ['cast([1] AS text)', '[1]'],
  ['cast(null AS string)', undefined],
  ["cast('x' AS int)", undefined],
])('%s is %p', (expression, expected) => {
  expect(evaluateText(expression)).toEqual(expected);
});

test('templates see the original message', () => {
  const hole = (expression: string) => `\${${expression}}`;
  const fill = (text: string) => fillTemplate(parseTemplate(text), message(payload));
  expect(fill(`$$aws/things/${hole('topic(3)')}/shadow/name/role/update`)).toBe(
    '$$aws/things/demo_val1/shadow/name/role/update',
  );
  expect(fill(`a/${hole("get({'x': '}'}, 'x')")}/${hole('temperature + 1')}`)).toBe('a/}/51');
  expect(() => fill(`a/${hole('missing')}`)).toThrow(`${hole('missing')} is Undefined for this message`);
  expect(() => parseTemplate(`a/${hole('topic(')}`)).toThrow(/an expression is expected, not }/);
  expect(() => parseTemplate('a/$' + '{topic(')).toThrow(/an expression is expected, not the end/);
  expect(() => parseTemplate(`a/${hole('topic() b')}`)).toThrow(/} is expected/);
  expect(() => parseTemplate(hole('lambda:roles'))).toThrow(/} is expected/);
});

const json = fc.jsonValue({ maxDepth: 3 });

test('SELECT * is the message, whatever it is', () => {
  fc.assert(
    fc.property(json, (value) => {
      expect(run("SELECT * FROM 'a'", value)).toEqual(message(value).payload);
    }),
  );
});

test('a comparison and its opposite never both hold, and never does one with Undefined', () => {
  fc.assert(
    fc.property(json, json, fc.constantFrom('=', '<', '>'), (a, b, operator) => {
      const opposite = { '=': '<>', '<': '>=', '>': '<=' }[operator];
      const fires = (sql: string) => run(sql, { a, b }) !== 'does not fire';
      expect(
        fires(`SELECT a FROM 'x' WHERE a ${operator} b`) && fires(`SELECT a FROM 'x' WHERE a ${opposite} b`),
      ).toBe(false);
      expect(fires(`SELECT a FROM 'x' WHERE a ${operator} missing`)).toBe(false);
      expect(fires(`SELECT a FROM 'x' WHERE NOT (a ${operator} missing)`)).toBe(false);
    }),
  );
});
