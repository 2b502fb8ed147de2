import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { functions } from './functions.ts';
import type { Message } from './message.ts';
import { evaluateText, message, payload } from './sample-message.ts';
import type { Value } from './values.ts';

const json = fc.jsonValue({ maxDepth: 3 });

/** At least one line a function; the test below sees to it. */
const calls: [string, unknown][] = [
  ['abs(-5)', 5],
  ["abs('-5.123')", 5.123],
  ['abs(true)', undefined],
  ['abs(null)', undefined],
  ['abs(missing)', undefined],
  ['accountid()', '000000000000'],
  ['acos(0)', Math.PI / 2],
  ['acos(2)', undefined],
  ['asin(0)', 0],
  ['atan(0)', 0],
  ['atan2(1, 0)', Math.PI / 2],
  ['bitand(13, 5)', 5],
  ['bitor(8, 5)', 13],
  ['bitxor(13, 5)', 8],
  ['bitnot(13)', -14],
  ["bitand('13.9', 5)", 5],
  ['ceil(1.2)', 2],
  ['ceil(-1.2)', -1],
  ['floor(1.2)', 1],
  ['floor(-1.2)', -2],
  ['floor([1])', undefined],
  ['chr(65)', 'A'],
  ['chr(300)', undefined],
  ["chr('x')", undefined],
  ['clientid()', 'n/a'],
  ['concat()', undefined],
  ['concat(1)', 1],
  ["concat('con', 'cat')", 'concat'],
  ["concat(1, 'hello')", '1hello'],
  ["concat([1, 2], 'a', [4])", [1, 2, 'a', 4]],
  ['concat(1, 2)', undefined],
  ["concat('a', missing)", undefined],
  ['cos(0)', 1],
  ['cosh(0)', 1],
  ['sin(0)', 0],
  ['sinh(0)', 0],
  ['tan(0)', 0],
  ['tanh(0)', 0],
  ["decode('eyAidGVtcGVyYXR1cmUiOiAzMyB9Cg==', 'base64').temperature", 33],
  ["decode('aGk=', 'base64')", 'hi'],
  ["decode('!', 'base64')", null],
  ["decode(missing, 'base64')", undefined],
  ["encode('hi', 'base64')", 'aGk='],
  ["encode(missing, 'base64')", undefined],
  ["endswith('cat', 'at')", true],
  ['endswith(missing, 1)', undefined],
  ["startswith('ranger', 'ran')", true],
  ["startswith(null, 'a')", undefined],
  ['startswith(123, 12)', true],
  ['exp(0)', 1],
  ['ln(1)', 0],
  ['log(100)', 2],
  ['ln(0)', undefined],
  ['power(2, 5)', 32],
  ['sqrt(9)', 3],
  ['sqrt(-1)', undefined],
  ["get(['a', 'b'], 1)", 'b'],
  ["get({'a': 'b'}, 'a')", 'b'],
  ["get('abc', 1)", 'b'],
  ['get([1], -1)', undefined],
  ["get({'a': 1}, 0)", undefined],
  ["get(*, 'text')", 'abc'],
  ['get(missing, 0)', undefined],
  ["get_or_default(missing, 'd')", 'd'],
  ["get_or_default(null, 'd')", 'd'],
  ["get_or_default(text, 'd')", 'abc'],
  ["indexof('abcd', 'bc')", 1],
  ["indexof('abcd', 'x')", -1],
  ["indexof(missing, 'x')", undefined],
  ['isNull(5)', false],
  ['isNull(Null)', true],
  ['isNull(missing)', false],
  ['isUndefined(5)', false],
  ['isUndefined(null)', false],
  ['isUndefined(floor([1, 2, 3]))', true],
  ["length('hi')", 2],
  ['length(false)', 5],
  ["length('€')", 1],
  ["numbytes('€')", 3],
  ["lower('HELLO')", 'hello'],
  ["lower(['HELLO'])", '["hello"]'],
  ['lower(missing)', undefined],
  ["upper('hello')", 'HELLO'],
  ["lpad('hello', 2)", '  hello'],
  ['lpad(1, 3)', '   1'],
  ["rpad('hello', 2)", 'hello  '],
  ["rpad('a', -1)", 'a'],
  ["rpad('a', true)", undefined],
  ["ltrim(' h i ')", 'h i '],
  ["rtrim(' h i ')", ' h i'],
  ["trim(' hi ')", 'hi'],
  ["md2('')", '8350e5a3e24c153df2275c9f80692773'],
  ["md2('a')", '32ec01ec4a6dac72c0ab96fb34c0b5d1'],
  [
    "md2('12345678901234567890123456789012345678901234567890123456789012345678901234567890')",
    'd5976f79d83d3a0dc9806c3c66f3efd8',
  ],
  ['md2(missing)', undefined],
  ["md5('hello')", '5d41402abc4b2a76b9719d911017c592'],
  ["sha1('')", 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
  ["length(sha224('a'))", 56],
  ["length(sha256('a'))", 64],
  ["length(sha384('a'))", 96],
  ["length(sha512('a'))", 128],
  ['md5(missing)', undefined],
  ['mod(8, 3)', 2],
  ['remainder(8, 3)', 2],
  ['mod(8, 0)', undefined],
  ['nanvl(8, 3)', 8],
  ['nanvl(missing, 3)', 3],
  ['nanvl(null, 3)', 3],
  ['newuuid()', '00000000-0000-4000-8000-000000000002'],
  [
    "parse_time(\"yyyy.MM.dd G 'at' HH:mm:ss z\", 100000000, 'America/Belize')",
    '1970.01.01 AD at 21:46:40 CST',
  ],
  ["parse_time('yyyy-MM-dd HH:mm:ss.SSS', 1196705730592)", '2007-12-03 18:15:30.592'],
  ["parse_time('EEEE d MMM yy h:mm a Z', 0)", 'Thursday 1 Jan 70 12:00 AM +0000'],
  ['parse_time(text, missing)', undefined],
  ["parse_time('yyyy', 1e300)", undefined],
  ["time_to_epoch('2020-04-03 09:45:18 UTC+01:00', 'yyyy-MM-dd HH:mm:ss VV')", 1585903518000],
  ["time_to_epoch('18 December 2015', 'dd MMMM yyyy')", 1450396800000],
  [
    "time_to_epoch('2007-12-03 10:15:30.592 America/Los_Angeles', 'yyyy-MM-dd HH:mm:ss.SSS z')",
    1196705730592,
  ],
  ["time_to_epoch('31 April 2015', 'dd MMMM yyyy')", undefined],
  ["time_to_epoch('x', 'yyyy')", undefined],
  ["time_to_epoch(missing, 'yyyy')", undefined],
  ['principal()', undefined],
  ['rand()', 0.25],
  ["regexp_matches('aaaa', 'a{2,}')", true],
  ["regexp_matches('aaaa', 'b')", false],
  ["regexp_matches('a', text + '(')", undefined],
  ["regexp_replace('abcd', 'bc', 'x')", 'axd'],
  ["regexp_replace('abcd', 'b(.*)d', '$1')", 'ac'],
  ["regexp_replace('a', 'a', '$2')", undefined],
  ["regexp_replace('a', 'a', '$&')", undefined],
  ["regexp_substr('hihihello', '(hi)*')", 'hihi'],
  ["regexp_substr('x', 'y')", undefined],
  ["replace('abcdabcd', 'b', 'x')", 'axcdaxcd'],
  ["replace('a', 'a', '$&')", '$&'],
  ["replace('a', 'a', missing)", undefined],
  ['round(1.5)', 2],
  ['round(-1.5)', -2],
  ['round(-1.1)', -1],
  ['sign(-7)', -1],
  ['sign(0)', 0],
  ['sql_version()', '2016-03-23'],
  ["substring('012345', 2)", '2345'],
  ["substring('012345', 2.745)", '2345'],
  ['substring(123, 2)', '3'],
  ["substring('012345', -1)", '012345'],
  ['substring(true, 1.2)', 'rue'],
  ['substring(false, -2.411E247)', 'false'],
  ["substring('012345', 1, 3)", '12'],
  ["substring('012345', -50, 50)", '012345'],
  ["substring('012345', 3, 1)", ''],
  ["substring('a', missing)", undefined],
  ['timestamp()', 1_795_000_000_000],
  ['topic()', 'beam/demo/demo_val1/health'],
  ['topic(3)', 'demo_val1'],
  ['topic(9)', undefined],
  ['topic(0)', undefined],
  ['traceid()', '00000000-0000-4000-8000-000000000001'],
  [
    "transform('enrichArray', {'k': 1}, [{'a': 3}, {'b': 4}])",
    [
      { a: 3, k: 1 },
      { b: 4, k: 1 },
    ],
  ],
  ["transform('enrichArray', 1, [])", undefined],
  ['trunc(2.3123, 2)', 2.31],
  ['trunc(2.888, 2)', 2.88],
  ['trunc(-2.888, 1)', -2.8],
  ['trunc(2.00, 5)', 2],
  ["trunc('x', 1)", undefined],
  ["get_thing_shadow('demo_val1', 'role', 'arn').state.desired.role", 'active'],
  ["get_thing_shadow('demo_val1', 'arn')", undefined],
  ['get_thing_shadow(missing, missing, 1)', undefined],
  ['sourceip()', '203.0.113.9'],
  ["get_mqtt_property('content_type')", 'text/plain'],
  ["get_mqtt_property('response_topic')", 'answers/1'],
  ["get_mqtt_property('correlation_data')", 'AQI='],
  ["get_mqtt_property('format_indicator')", 'UTF8_DATA'],
  ["get_mqtt_property('other')", undefined],
  ['get_mqtt_property(missing)', undefined],
  ["get_user_properties('k')", ['v1', 'v2']],
  ["get_user_properties('other')", ['o']],
  ["get_user_properties('none')", undefined],
  ['get_user_properties(missing)', undefined],
  ['get_user_properties()', [{ k: 'v1' }, { other: 'o' }, { k: 'v2' }]],
  ["get_registry_data('DescribeThing', 'demo_val1', 'arn').attributes.zone", 'a'],
  ["get_registry_data('DescribeThing', 'nobody', 'arn')", undefined],
  ["get_registry_data('DescribeThing', missing, 'arn')", undefined],
  ["aws_lambda('arn:f', {'n': value})", { function: 'arn:f', input: { n: 5 } }],
  ["aws_lambda('arn:f', *).input.text", 'abc'],
  ["aws_lambda('arn:f', missing)", undefined],
  ['aws_lambda(missing, 1)', undefined],
  ["get_dynamodb('t', 'id', 5, 'arn')", { table: 't', key: { id: 5 } }],
  ["get_dynamodb('t', 'id', text, 'at', 7, 'arn').key", { id: 'abc', at: 7 }],
  ["get_dynamodb('t', 'id', missing, 'arn')", undefined],
  ["get_dynamodb('t', 'id', true, 'arn')", undefined],
  ["get_dynamodb('t', 'id', 1, 'at', missing, 'arn')", undefined],
];
/** What services answer, and the message brings. */
const around: Partial<Message> = {
  sourceIp: '203.0.113.9',
  properties: {
    isUtf8: true,
    contentType: 'text/plain',
    responseTopic: 'answers/1',
    correlationData: 'AQI=',
    userProperties: [
      ['k', 'v1'],
      ['other', 'o'],
      ['k', 'v2'],
    ],
  },
  getThingShadow: (_, name) => (name === 'role' ? { state: { desired: { role: 'active' } } } : undefined),
  getRegistryData: (api, thing) =>
    api === 'DescribeThing' && thing === 'demo_val1' ? { attributes: { zone: 'a' } } : undefined,
  ask: (question) =>
    question.call === 'aws_lambda'
      ? { function: question.functionArn, input: question.input }
      : { table: question.tableName, key: question.key },
};

test.each(calls)('%s is %p', (expression, expected) => {
  const value = evaluateText(expression, around);
  if (typeof expected === 'number') expect(value).toBeCloseTo(expected, 10);
  else expect(value).toEqual(expected);
});

test('every function has a line in the table', () => {
  const named = new Set(
    calls.flatMap(([text]) => [...text.matchAll(/([a-z_0-9]+)\(/gi)].map(([, name]) => name?.toLowerCase())),
  );
  expect([...functions.keys()].filter((name) => !named.has(name))).toEqual([]);
});

test('a message without properties of MQTT 5, and without an address', () => {
  const read = (expression: string) => evaluateText(expression);
  expect(read("get_mqtt_property('content_type')")).toBeUndefined();
  expect(read("get_mqtt_property('format_indicator')")).toBe('UNSPECIFIED_BYTES');
  expect(read('get_user_properties()')).toBeUndefined();
  expect(read('sourceip()')).toBeUndefined();
});

test('clientid and principal are those of the message', () => {
  const sent = { clientId: 'demo_val1', principal: 'ba67' };
  expect(evaluateText("clientid() + ' ' + principal()", sent)).toBe('demo_val1 ba67');
});

test('functions of any values give a value and do not throw', () => {
  const given = message(payload, around);
  fc.assert(
    fc.property(
      fc.constantFrom(...functions.values()),
      fc.array(fc.oneof(json, fc.constant(undefined)), { minLength: 4, maxLength: 4 }),
      (definition, values) => {
        const count = Math.min(4, definition.arity[1]);
        definition.call(values.slice(0, count) as Value[], given, false);
      },
    ),
    { numRuns: 2000 },
  );
});
