import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { arnOf, hole, lambda, republish, rule } from './sample-rule.ts';
import { parseTopicRule, type TopicRule } from './topic-rule.ts';

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
  expect(() => parseTopicRule('r', payload, true)).toThrow(fault);
});

test('all faults of a rule are reported at once', () => {
  const payload = rule('SELECT FROM', [{ s3: {} }, republish('#')]);
  expect(() => parseTopicRule('not a name', payload, true)).toThrow(
    /ruleName: .*\n.*sql: .*\n.*actions\.0\.s3.*\n.*actions\.1\.republish/,
  );
});

test("Beam's own rules load", () => {
  const parsed: TopicRule[] = [];
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
    parsed.push(parseTopicRule(ruleName, topicRulePayload, true));
  }
  expect(parsed.length).toBeGreaterThan(0);
});
