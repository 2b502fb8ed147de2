import { beforeEach, expect, test } from '@jest/globals';
import { createRulesEngine, type RulesEngine } from './engine.ts';
import type { Call } from './plan-action.ts';
import { arnOf, hole, lambda, nothing, republish, rule } from './sample-rule.ts';

let published: { topic: string; payload: string; qos: number }[];
let invoked: { name: string; event: unknown }[];
let logged: { level: string; message: string; details: object }[];
/** Calls of the other kinds. */
let carriedOut: Call[];
let engine: RulesEngine;
/** What the broker does with a published message besides keeping it. */
let onPublish: (topic: string, payload: Buffer, hops: number) => Promise<void> | void;

beforeEach(() => {
  published = [];
  invoked = [];
  logged = [];
  carriedOut = [];
  onPublish = () => {};
  engine = createRulesEngine({
    executors: {
      async republish({ topic, payload, qos }, _, hops) {
        published.push({ topic, payload: payload.toString(), qos });
        await onPublish(topic, payload, hops);
      },
      async lambda({ functionName: name, event }) {
        if (name === 'missing') throw new Error('Function not found: missing');
        invoked.push({ name, event });
      },
      dynamoDBv2: (call) => carriedOut.push(call),
      sns: (call) => carriedOut.push(call),
      sqs: (call) => carriedOut.push(call),
    },
    log: {
      warn: (details, message) => logged.push({ level: 'warn', message, details }),
      error: (details, message) => logged.push({ level: 'error', message, details }),
    },
    now: () => 1_795_000_000_000,
    services: {
      getThingShadow: (thing, shadow) =>
        thing === 'demo_val1' && shadow === 'role' ? { state: { desired: { role: 'active' } } } : undefined,
      getRegistryData: () => undefined,
      async answer(question) {
        if (question.call !== 'aws_lambda') throw new Error('ResourceNotFoundException: no such table');
        return question.input;
      },
    },
  });
});

const send = (topic: string, payload: unknown, origin = {}) =>
  engine
    .take(
      topic,
      () => (Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload))),
      origin,
      false,
    )
    ?.run();

test("a function gets the SELECT's result as its event, with no envelope", async () => {
  engine.load(
    'health',
    rule(
      "SELECT *, topic(3) AS sender, timestamp() AS at, clientid() AS client, principal() AS cert FROM 'beam/+/+/health'",
      [lambda('health')],
    ),
  );
  await send('beam/demo/demo_val1/health', { height: 5 }, { clientId: 'demo_val1', principalId: 'ba67' });
  await send('beam/demo/demo_val1/alert/x', { height: 6 });
  expect(invoked).toEqual([
    {
      name: 'health',
      event: { height: 5, sender: 'demo_val1', at: 1_795_000_000_000, client: 'demo_val1', cert: 'ba67' },
    },
  ]);
});

test('actions start at once, in the order of the messages', () => {
  engine.load('all', rule("SELECT n FROM 'a/#'", [lambda('one'), lambda('two')]));
  for (let n = 0; n < 3; n++) void send('a/b', { n });
  expect(invoked.map(({ name, event }) => [name, event])).toEqual(
    [0, 1, 2].flatMap((n) => [
      ['one', { n }],
      ['two', { n }],
    ]),
  );
});

test('services are asked in WHERE, SELECT and templates; one that refuses gives Undefined', async () => {
  engine.load(
    'asks',
    rule("SELECT aws_lambda('arn:f', {'all': *}).all.n AS n FROM 'a' WHERE aws_lambda('arn:f', n) > 1", [
      republish(`b/${hole("aws_lambda('arn:f', n)")}`),
    ]),
  );
  engine.load(
    'refused',
    rule("SELECT n FROM 'a' WHERE get_dynamodb('t', 'id', n, 'arn').x <> 1", [republish('c')]),
  );
  await send('a', { n: 1 });
  await send('a', { n: 2 });
  expect(published).toEqual([{ topic: 'b/2', payload: '{"n":2}', qos: 0 }]);
  expect(logged.map(({ message }) => message)).toEqual(
    Array(2).fill('A rule got no answer from a service; the function is Undefined'),
  );
});

test.each([
  ['a/+/c', 'a/b/c', true],
  ['a/+', 'a/b/c', false],
  ['a/#', 'a/b/c', true],
  ['a/#', 'a', false],
  ['#', 'a/b', true],
  ['#', '$aws/events/presence/connected/x', false],
  ['$aws/events/presence/+/+', '$aws/events/presence/connected/x', true],
  ['a/b', 'a/B', false],
])('FROM %s and a message on %s: fires %p', async (filter, topic, fires) => {
  engine.load('r', rule(`SELECT * FROM '${filter}'`, [lambda('f')]));
  await send(topic, {});
  expect(invoked.length).toBe(fires ? 1 : 0);
});

test('WHERE decides, also with what the message does not have, and with shadows', async () => {
  engine.load('where', rule("SELECT n FROM 'a' WHERE n > 3", [lambda('f')]));
  engine.load(
    'shadow',
    rule("SELECT n FROM 'a' WHERE get_thing_shadow(thing, 'role', 'arn').state.desired.role = 'active'", [
      lambda('g'),
    ]),
  );
  for (const payload of [{ n: 3 }, { n: 4 }, {}, { n: 'x' }, [], 'text', { thing: 'demo_val1', n: 1 }])
    await send('a', payload);
  await send('a', Buffer.from('not JSON'));
  expect(invoked).toEqual([
    { name: 'f', event: { n: 4 } },
    { name: 'g', event: { n: 1 } },
  ]);
});

test('republish: templates see the original message, $$ stands for $, the payload is what was selected', async () => {
  engine.load(
    'shadow',
    rule("SELECT 'standby' AS state.desired.role FROM 'in/+'", [
      republish(`$$aws/things/${hole('topic(2)')}/shadow/name/${hole('shadow')}/update`, { qos: 1 }),
      republish('plain'),
    ]),
  );
  engine.load('value', rule("SELECT VALUE n FROM 'v'", [republish('out')]));
  await send('in/t1', { shadow: 'role', state: 'original' });
  await send('v', { n: [1, 'x'] });
  await send('v', {});
  const role = '{"state":{"desired":{"role":"standby"}}}';
  expect(published).toEqual([
    { topic: '$aws/things/t1/shadow/name/role/update', payload: role, qos: 1 },
    { topic: 'plain', payload: role, qos: 0 },
    { topic: 'out', payload: '[1,"x"]', qos: 0 },
    { topic: 'out', payload: '', qos: 0 },
  ]);
});

test('a message that is no JSON is republished as it is, and does not reach a function', async () => {
  const bytes = Buffer.from([0x7b, 0xff]);
  engine.load(
    'raw',
    rule("SELECT * FROM 'a'", [republish('out'), lambda('f')], { errorAction: lambda('alert') }),
  );
  await send('a', bytes);
  expect(published).toHaveLength(1);
  expect(invoked).toMatchObject([
    { name: 'alert', event: { failures: [{ failedAction: 'LambdaAction', failedResource: arnOf('f') }] } },
  ]);
});

test('the error action gets one message with every failure', async () => {
  engine.load(
    'r',
    rule("SELECT * FROM 'a/+'", [lambda('missing'), republish(`out/${hole('nowhere')}`), lambda('fine')], {
      errorAction: lambda('alert'),
    }),
  );
  await send('a/b', { x: 1 }, { clientId: 'demo_val1' });
  expect(invoked.map(({ name }) => name)).toEqual(['fine', 'alert']);
  expect(invoked[1]?.event).toEqual({
    ruleName: 'r',
    topic: 'a/b',
    cloudwatchTraceId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    clientId: 'demo_val1',
    base64OriginalPayload: Buffer.from('{"x":1}').toString('base64'),
    failures: [
      {
        failedAction: 'LambdaAction',
        failedResource: arnOf('missing'),
        errorMessage: 'Function not found: missing',
      },
      {
        failedAction: 'RepublishAction',
        failedResource: '',
        errorMessage: `${hole('nowhere')} is Undefined for this message`,
      },
    ],
  });
});

test('dynamoDBv2, sns and sqs get what was selected, with their arguments filled in', async () => {
  const roleArn = 'arn:aws:iam::0:role/r';
  engine.load(
    'r',
    rule("SELECT device, n, tags FROM 'in/+'", [
      { dynamoDBv2: { roleArn, putItem: { tableName: `t-${hole('topic(2)')}` } } },
      { sns: { roleArn, targetArn: 'arn:aws:sns:local:000000000000:alerts' } },
      { sns: { roleArn, targetArn: 'arn:aws:sns:local:000000000000:alerts', messageFormat: 'JSON' } },
      { sqs: { roleArn, queueUrl: 'https://q/000000000000/jobs', useBase64: true } },
    ]),
  );
  await send('in/x', { device: 'd1', n: 1.5, tags: ['a', null], more: true });
  const selected = '{"device":"d1","n":1.5,"tags":["a",null]}';
  const targetArn = 'arn:aws:sns:local:000000000000:alerts';
  expect(carriedOut).toEqual([
    {
      kind: 'dynamoDBv2',
      tableName: 't-x',
      item: { device: { S: 'd1' }, n: { N: '1.5' }, tags: { L: [{ S: 'a' }, { NULL: true }] } },
    },
    { kind: 'sns', targetArn, message: selected },
    { kind: 'sns', targetArn, message: selected, messageStructure: 'json' },
    {
      kind: 'sqs',
      queueUrl: 'https://q/000000000000/jobs',
      body: Buffer.from(selected).toString('base64'),
    },
  ]);
});

test('an error action that fails is logged, and one message does not stop the next', async () => {
  engine.load('r', rule("SELECT * FROM 'a'", [lambda('missing')], { errorAction: lambda('missing') }));
  await send('a', {});
  await send('a', {});
  expect(logged.filter(({ message }) => message === 'The error action of a rule failed too')).toHaveLength(2);
});

test('Basic Ingest reaches the named rule alone, without its prefix in topic()', async () => {
  engine.load('named', rule("SELECT topic() AS t, topic(1) AS first FROM 'building/#'", [lambda('f')]));
  engine.load('other', rule("SELECT * FROM 'building/#'", [lambda('g')]));
  engine.load('no_from', rule('SELECT *', [lambda('h')]));
  await send('$aws/rules/named/building/5', {});
  await send('$aws/rules/no_from/x', { n: 1 });
  await send('$aws/rules/named/elsewhere', {});
  await send('$aws/rules/nobody/x', {});
  await send('x', { n: 2 });
  await send('$aws/rules/no_from', { n: 3 });
  expect(invoked).toEqual([
    { name: 'f', event: { t: 'building/5', first: 'building' } },
    { name: 'h', event: { n: 1 } },
    { name: 'h', event: { n: 3 } },
  ]);
  expect(logged.map(({ message }) => message)).toEqual([
    "A message for a rule does not match the rule's FROM; it is dropped",
    'A message for a rule that is not there, or disabled, is dropped',
  ]);
});

test('rules are replaced, disabled, removed and listed; a refused load changes nothing', async () => {
  const first = rule("SELECT 1 AS v FROM 'a'", [lambda('f')]);
  engine.load('r', first);
  expect(() => engine.load('r', rule("SELECT nosuch() AS v FROM 'a'", [lambda('f')]))).toThrow(/nosuch/);
  expect(engine.list()).toEqual([{ ruleName: 'r', topicRulePayload: first }]);
  await send('a', {});
  engine.load('r', rule("SELECT 2 AS v FROM 'b'", [lambda('f')]));
  await send('a', {});
  await send('b', {});
  engine.load('r', rule("SELECT 3 AS v FROM 'b'", [lambda('f')], { ruleDisabled: true }));
  await send('b', {});
  engine.remove('r');
  engine.remove('r');
  await send('b', {});
  expect(invoked.map(({ event }) => event)).toEqual([{ v: 1 }, { v: 2 }]);
  expect(engine.list()).toEqual([]);
});

test('rules that set each other off end after a bounded number of turns', async () => {
  onPublish = (topic, payload, hops) => engine.take(topic, () => payload, { hops }, false)?.run();
  engine.load('ping', rule("SELECT * FROM 'ping'", [republish('pong')]));
  engine.load('pong', rule("SELECT * FROM 'pong'", [republish('ping')]));
  await send('ping', {});
  expect(published).toHaveLength(8);
  expect(logged.map(({ message }) => message)).toEqual([
    'Rules set each other off 8 times; the message goes no further',
  ]);
  await send('ping', {});
  expect(published).toHaveLength(16);
});

test('without services get_thing_shadow() is refused at load', () => {
  const blind = createRulesEngine({
    executors: nothing,
    log: { warn: () => {}, error: () => {} },
  });
  expect(() => blind.load('r', rule("SELECT get_thing_shadow('a', 'r') AS s FROM 'a'", []))).toThrow(
    /get_thing_shadow\(\) reaches no service here/,
  );
});
