import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from '@jest/globals';
import { eventually, settle } from '../core-fixture.ts';
import { openStore } from '../store/store.ts';
import { type ActionExecutors, createRulesEngine, type RulesEngine } from './engine.ts';
import { openRulesInbox } from './inbox.ts';
import type { Call } from './plan-action.ts';

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

const nothing: ActionExecutors = {
  lambda() {},
  republish() {},
  dynamoDBv2() {},
  sns() {},
  sqs() {},
};
const arnOf = (name: string) => `arn:aws:lambda:local:000000000000:function:${name}`;
const lambda = (name: string) => ({ lambda: { functionArn: arnOf(name) } });
const republish = (topic: string, more: object = {}) => ({
  republish: { roleArn: 'arn:aws:iam::0:role/r', topic, ...more },
});
const hole = (expression: string) => `\${${expression}}`;
const rule = (sql: string, actions: object[], more: object = {}) => ({
  sql,
  actions,
  awsIotSqlVersion: '2016-03-23',
  ...more,
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

test('what fails because the cloud ends is left for the next run, and no error action is told', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'beam-rules-'));
  const store = await openStore(dir);
  const told: Call[] = [];
  const ending = createRulesEngine({
    executors: {
      ...nothing,
      lambda() {
        throw new Error('The local cloud is ending');
      },
      sqs: (call) => told.push(call),
    },
    log: { warn: () => {}, error: () => {} },
    inbox: openRulesInbox(store, () => {}),
  });
  const errorAction = { sqs: { roleArn: 'r', queueUrl: 'https://q/0/failed' } };
  ending.load('r', rule("SELECT * FROM 'a'", [lambda('f')], { errorAction }));
  const send = async () => {
    const taken = ending.take('a', () => Buffer.from('{}'), {}, true);
    await taken?.run();
    await taken?.noted;
  };
  await send();
  await eventually(() => [...store.ruleMessages.values()].length === 0);
  expect(told).toHaveLength(1);
  ending.stop();
  await send();
  await settle();
  expect([...store.ruleMessages.values()]).toMatchObject([{ rules: ['r'] }]);
  expect(told).toHaveLength(1);
  await store.close();
  rmSync(dir, { recursive: true });
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

test('an acknowledged message is on disk until its actions were taken over, and a later run does what is left', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'beam-rules-'));
  let store = await openStore(dir);
  let takeOver: () => void = () => undefined;
  const started: unknown[] = [];
  const open = () => {
    const opened = createRulesEngine({
      executors: {
        ...nothing,
        lambda({ event }) {
          started.push(event);
          return new Promise<void>((resolve) => (takeOver = resolve));
        },
      },
      log: { warn: () => {}, error: () => {} },
      now: () => 1_795_000_000_000 + started.length,
      inbox: openRulesInbox(store, () => {}),
    });
    opened.load(
      'r',
      rule("SELECT n, timestamp() AS at, clientid() AS c FROM 'a' WHERE n > 0", [lambda('f')]),
    );
    return opened;
  };
  const take = (n: number, isAcknowledged: boolean) =>
    open().take('a', () => Buffer.from(JSON.stringify({ n })), { clientId: 'x' }, isAcknowledged);
  expect(take(0, true)).toBeUndefined();
  expect(take(1, false)?.noted).toBeUndefined();
  const taken = take(2, true);
  expect(started).toEqual([]);
  const ran = taken?.run();
  await taken?.noted;
  expect([...store.ruleMessages.values()]).toMatchObject([{ topic: 'a', rules: ['r'], runs: 0 }]);
  takeOver();
  await ran;
  await eventually(() => [...store.ruleMessages.values()].length === 0);

  const left = take(3, true);
  void left?.run();
  await left?.noted;
  await store.close();
  for (let run = 1; run <= 4; run++) {
    store = await openStore(dir);
    await open().resume();
    await store.close();
  }
  const event = { n: 3, at: 1_795_000_000_001, c: 'x' };
  expect(started.slice(1)).toEqual([event, event, event, event]);
  store = await openStore(dir);
  expect([...store.ruleMessages.values()]).toEqual([]);
  await store.close();
  rmSync(dir, { recursive: true });
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
  expect(invoked).toEqual([
    { name: 'f', event: { t: 'building/5', first: 'building' } },
    { name: 'h', event: { n: 1 } },
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

test.each<[string, object, RegExp]>([
  [
    'another kind of action',
    rule("SELECT * FROM 'a'", [{ s3: { bucketName: 'b' } }]),
    /actions\.0\.s3: this kind of action is not in the local cloud/,
  ],
  [
    'two kinds in one action',
    rule("SELECT * FROM 'a'", [{ ...lambda('f'), ...republish('x') }]),
    /actions\.0\.kind: an action has exactly one/,
  ],
  [
    'eleven actions',
    rule("SELECT * FROM 'a'", Array(11).fill(lambda('f'))),
    /actions: has more than 10 actions/,
  ],
  ['an unknown key', rule("SELECT * FROM 'a'", [], { enabled: true }), /Unrecognized key: "enabled"/],
  ['no SQL version', { sql: "SELECT * FROM 'a'", actions: [] }, /awsIotSqlVersion: must be 2016-03-23/],
  [
    'the old SQL version',
    rule("SELECT * FROM 'a'", [], { awsIotSqlVersion: '2015-10-08' }),
    /awsIotSqlVersion: must be 2016-03-23/,
  ],
  ['unknown SQL', rule("SELECT * FROM 'a' WHERE x LIKE 'y'", []), /sql: SQL line 1, column 27: LIKE/],
  ['a filter that is none', rule("SELECT * FROM 'a/b#'", []), /sql: the topic filter 'a\/b#' has a wildcard/],
  [
    'a filter of Basic Ingest',
    rule("SELECT * FROM '$aws/rules/r/#'", []),
    /no rule can be subscribed to Basic Ingest/,
  ],
  [
    'a reserved topic with one $',
    rule("SELECT * FROM 'a'", [republish('$aws/things/x/shadow/update')]),
    /written with \$\$/,
  ],
  [
    'a topic with a wildcard',
    rule("SELECT * FROM 'a'", [republish('a/+')]),
    /actions\.0\.republish\.topic: 'a\/\+' has a wildcard/,
  ],
  ['QoS 2', rule("SELECT * FROM 'a'", [republish('b', { qos: 2 })]), /actions\.0\.republish\.qos/],
  [
    'an unknown header',
    rule("SELECT * FROM 'a'", [republish('b', { headers: { retain: 'true' } })]),
    /Unrecognized key: "retain"/,
  ],
  [
    'a response topic with a wildcard',
    rule("SELECT * FROM 'a'", [republish('b', { headers: { responseTopic: 'a/#' } })]),
    /republish.headers.responseTopic: 'a\/#' has a wildcard/,
  ],
  [
    'an expiry that is no number',
    rule("SELECT * FROM 'a'", [republish('b', { headers: { messageExpiry: 'soon' } })]),
    /republish.headers.messageExpiry: 'soon' is no number of seconds/,
  ],
  [
    'a secret',
    rule("SELECT get_secret('s', 'SecretString', 'arn') AS s FROM 'a'", []),
    /get_secret\(\) is not in the local cloud/,
  ],
  [
    'half a sort key',
    rule("SELECT get_dynamodb('t', 'a', 1, 'b', 'arn') AS s FROM 'a'", []),
    /a sort key has a name and a value/,
  ],
  [
    'another API of the registry',
    rule("SELECT get_registry_data('DeleteThing', 'x', 'arn') AS s FROM 'a'", []),
    /the API is one of the literals 'DescribeThing', 'ListThingGroupsForThing'/,
  ],
  [
    'an open template',
    rule("SELECT * FROM 'a'", [republish('b/$' + '{topic()')]),
    /actions\.0\.republish\.topic: SQL line 1, column 12/,
  ],
  [
    'a placeholder that nobody filled',
    rule("SELECT * FROM 'a'", [{ lambda: { functionArn: hole('lambda:roles') } }]),
    /actions\.0\.lambda\.functionArn: SQL/,
  ],
  [
    'an error action of another kind',
    rule("SELECT * FROM 'a'", [], { errorAction: { kinesis: {} } }),
    /errorAction\.kinesis: this kind/,
  ],
  [
    'an error action that reads a shadow',
    rule("SELECT * FROM 'a'", [], { errorAction: republish(`a/${hole("get_thing_shadow('a', 'b').x")}`) }),
    /errorAction: AWS lets no function/,
  ],
])('refused at load: %s', (_, payload, fault) => {
  expect(() => engine.load('r', payload)).toThrow(fault);
});

test('all faults of a rule are reported at once', () => {
  const payload = rule('SELECT FROM', [{ s3: {} }, republish('#')]);
  expect(() => engine.load('not a name', payload)).toThrow(
    /ruleName: .*\n.*sql: .*\n.*actions\.0\.s3.*\n.*actions\.1\.republish/,
  );
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

test("Beam's own rules load", () => {
  const folder = join(import.meta.dirname, '../../cloud-rules/rules');
  for (const file of readdirSync(folder)) {
    const text = readFileSync(join(folder, file), 'utf8').replaceAll(
      /\$\{lambda:([a-z0-9-]+)\}/g,
      (_, name) => arnOf(name),
    );
    const { ruleName, topicRulePayload } = JSON.parse(text) as {
      ruleName: string;
      topicRulePayload: unknown;
    };
    engine.load(ruleName, topicRulePayload);
  }
  expect(engine.list().length).toBeGreaterThan(0);
});
