import { expect, test } from '@jest/globals';
import { message } from '../engines/sql/sample-message.ts';
import { parseTopicRule } from './topic-rule.ts';
import { culprits, tryRule } from './try-rule.ts';

const arn = 'arn:aws:lambda:local:000000000000:function:f';
const hole = (expression: string) => `\${${expression}}`;
const rule = (sql: string, more: object = {}) =>
  parseTopicRule('r', { sql, awsIotSqlVersion: '2016-03-23', actions: [], ...more }, true);

test.each([
  ["SELECT * FROM 'beam/+/health'", 'beam/x/alert', "level 3 of the topic is 'alert', not 'health'"],
  ["SELECT * FROM 'beam/+'", 'beam/x/y', 'the topic has 3 levels, the filter asks for 2'],
  ["SELECT * FROM 'a/#'", 'a', 'the topic has 1 levels, the filter asks for 2 or more'],
  [
    "SELECT * FROM '#'",
    '$aws/x',
    'a filter that begins with a wildcard does not match topics that begin with $',
  ],
  ["SELECT * FROM 'a'", '$aws/rules/other/a', 'Basic Ingest names the rule other'],
  ['SELECT *', 'a', 'a rule without FROM is reached by Basic Ingest alone: $aws/rules/r/…'],
  ["SELECT * FROM 'a'", 'a/+', 'the topic has a wildcard'],
])('%s and a message on %s: %s', (sql, topic, why) => {
  const trial = tryRule(rule(sql), topic, message({}));
  expect(trial.from).toMatchObject({ matches: false, why });
  expect(trial.fires).toBe(false);
});

test.each([
  ["a > 1 AND kind = 'x'", { a: 2, kind: 'y' }, ["kind = 'x'"]],
  ["a > 1 AND kind = 'x'", { a: 1 }, ['a > 1', "kind = 'x'"]],
  ["a > 1 AND (kind = 'x' OR kind = 'y')", { a: 2, kind: 'z' }, ["kind = 'x'", "kind = 'y'"]],
  ['NOT a = 2', { a: 2 }, ['NOT a = 2']],
  ["lower(kind) = 'x'", {}, ['lower(kind)']],
  ['a > 1', { a: 2 }, []],
])('WHERE %s on %p: what made it not true is %p', (where, payload, expected) => {
  const trial = tryRule(rule(`SELECT * FROM 'a' WHERE ${where}`), 'a', message(payload));
  expect(trial.fires).toBe(expected.length === 0);
  expect(trial.where && culprits(trial.where).map(({ text }) => text)).toEqual(expected);
});

test('actions are shown as they would be called, and the failures with what the error action gets', () => {
  const tried = rule("SELECT n, topic() AS t FROM 'a/+'", {
    actions: [
      { lambda: { functionArn: arn } },
      { republish: { roleArn: 'r', topic: `b/${hole('missing')}` } },
    ],
    errorAction: { sqs: { roleArn: 'r', queueUrl: 'https://q/0/failed' } },
  });
  const trial = tryRule(tried, '$aws/rules/r/a/1', message({ n: 1 }));
  expect(trial).toMatchObject({
    topic: 'a/1',
    fires: true,
    selected: { json: { n: 1, t: 'a/1' } },
    actions: [
      { call: { kind: 'lambda', functionName: 'f', event: { n: 1, t: 'a/1' } } },
      {
        action: 'RepublishAction',
        failure: { errorMessage: `${hole('missing')} is Undefined for this message` },
      },
    ],
    errorAction: { call: { kind: 'sqs', queueUrl: 'https://q/0/failed' } },
  });
  const call = trial.errorAction && 'call' in trial.errorAction ? trial.errorAction.call : undefined;
  expect(call?.kind === 'sqs' && JSON.parse(call.body)).toMatchObject({
    ruleName: 'r',
    topic: 'a/1',
    failures: [{ failedAction: 'RepublishAction' }],
  });
});

test('a message that is no JSON goes on as it is, or the fault is told', () => {
  const bytes = Buffer.from([0xff, 1]);
  expect(tryRule(rule("SELECT * FROM 'a'"), 'a', message(bytes)).selected).toEqual({ bytes });
  expect(tryRule(rule("SELECT *, 1 AS one FROM 'a'"), 'a', message(bytes)).fault).toMatch(/needs a message/);
});
