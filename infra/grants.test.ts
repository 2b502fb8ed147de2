/**
 * What the code uses is granted, and nothing more: IAM statements, environment names, rules' events and topics, each derived
 * from the sources and compared with lambdas/manifest.json and cloud-rules/.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { fleetTableName } from '../protocol/fleet-table.ts';
import { type LambdaFunction, parseLambdaManifest } from '../protocol/manifest.ts';
import { thingGroupName } from '../protocol/names.ts';
import { shadowNames, shadowTopic } from '../protocol/shadows.ts';
import { beatItem, grant, signRecord, signTableName } from '../protocol/sign-record.ts';
import { toUpdateItem } from '../protocol/sign-record-dynamodb.ts';
import { basicIngest, healthRuleName, topics } from '../protocol/topics.ts';
import { type Used, type UsedCall, usedBy } from './used-calls.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const read = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'));
const { functions } = parseLambdaManifest(read('lambdas/manifest.json'));
const rules: { ruleName: string; topicRulePayload: { sql: string; actions: unknown[] } }[] = readdirSync(
  join(root, 'cloud-rules/rules'),
).map((file) => read(`cloud-rules/rules/${file}`));

const here = (kind: string, rest: string) => `arn:aws:${kind}:\${region}:\${account}:${rest}`;
const table = (name: string) => here('dynamodb', `table/${name}`);
/** What each file that calls AWS is about; shadows, topics and tables' conditions are derived below. */
const subjects: Record<string, (used: Used, call: UsedCall) => string[]> = {
  'lambdas/health/handle.ts': () => [table(fleetTableName)],
  'lambdas/aws/fleet-table.ts': () => [table(fleetTableName)],
  'lambdas/aws/sign-table.ts': () => [table(signTableName)],
  'lambdas/aws/shadows.ts': ({ shadowsRead, shadowsWritten }, { action }) =>
    [...(action === 'iot:GetThingShadow' ? shadowsRead : shadowsWritten)].map((name) =>
      here('iot', `thing/*/${name}`),
    ),
  'lambdas/aws/announce.ts': (used) =>
    [...used.topics].map((name) => {
      expect(name).toBe('alert');
      return here('iot', `topic/${topics.alert('*', '*', '*' as 'failover')}`);
    }),
  'lambdas/provision/index.ts': (_, { action }) => {
    if (action.startsWith('dynamodb:')) return [table(fleetTableName)];
    // IAM knows no resource for it.
    return [action === 'iot:ListThingPrincipals' ? '*' : here('iot', 'thing/*')];
  },
  'lambdas/peers/read-fleet.ts': () => [here('iot', `thinggroup/${thingGroupName('x').replace(/x$/, '*')}`)],
};

/** `action on resource`, sorted. */
function needed(used: Used): string[] {
  return used.calls
    .flatMap((call) => {
      const subject = subjects[call.file];
      if (!subject) throw new Error(`${call.file} calls ${call.action}: add to \`subjects\` here on what`);
      return subject(used, call).map((resource) => `${call.action} on ${resource}`);
    })
    .sort();
}

function granted({ iam }: LambdaFunction): string[] {
  return iam.flatMap(({ actions, resource }) => actions.map((action) => `${action} on ${resource}`)).sort();
}

describe.each(functions)('function $name', (definition) => {
  const used = usedBy(`lambdas/${definition.entry}`, definition.handler, root);

  test('may do exactly what its code does', () => {
    expect(granted(definition)).toEqual([...new Set(needed(used))]);
  });

  test('gets exactly the environment that it reads', () => {
    // Lambda sets AWS's own, and the manifest may not.
    const read = [...used.environment].filter((name) => !/^(AWS|LAMBDA)_/.test(name));
    expect(Object.keys(definition.environment).sort()).toEqual(read.sort());
  });

  test('knows exactly the events that rules and schedules send', () => {
    const target = JSON.stringify({ lambda: { functionArn: `\${lambda:${definition.name}}` } });
    const sent = [
      ...rules
        .filter(({ topicRulePayload }) =>
          topicRulePayload.actions.some((action) => JSON.stringify(action) === target),
        )
        .map(({ topicRulePayload }) => /'([a-z-]+)' AS trigger/.exec(topicRulePayload.sql)?.[1]),
      ...definition.schedules.map(({ input }) => input?.trigger),
    ];
    expect(sent.sort()).toEqual([...used.triggers].sort());
  });
});

test('every topic that a rule listens to is one that the contract names', () => {
  const anyShadow = (shadow: (typeof shadowNames)[number], tail: string) => shadowTopic('+', shadow, tail);
  const expected: Record<string, string> = {
    health: topics.health('+', '+'),
    presence: '$aws/events/presence/+/+',
    alert: topics.alert('+', '+', '+' as 'failover'),
    'role-request': topics.event('+', '+', 'role-request'),
    'role-deleted': anyShadow('role', 'delete/accepted'),
    ...Object.fromEntries(
      shadowNames.map((name) => [`${name}-documents`, anyShadow(name, 'update/documents')]),
    ),
  };
  const heard = Object.fromEntries(
    rules.map(({ topicRulePayload: { sql } }) => {
      const [, trigger = '', filter] = /'([a-z-]+)' AS trigger FROM '([^']+)'$/.exec(sql) ?? [];
      return [trigger, filter];
    }),
  );
  expect(heard).toEqual(expected);
});

test('a pilot may publish exactly what its code publishes: its messages, and its own shadows', () => {
  const sources = readdirSync(join(root, 'device-agent'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => readFileSync(join(root, 'device-agent', path), 'utf8'));
  const called = new Set(
    sources.flatMap((text) => [...text.matchAll(/\btopics\.(\w+)\(/g)].map(([, name]) => name)),
  );
  const fleet = `\${iot:Connection.Thing.Attributes[fleet]}`;
  const thing = `\${iot:Connection.Thing.ThingName}`;
  const any = '*' as 'failover' & 'started';
  const messages: Record<string, string> = {
    health: topics.health(fleet, thing),
    alert: topics.alert(fleet, thing, any),
    event: topics.event(fleet, thing, any),
  };
  expect(Object.keys(messages).sort()).toEqual([...called].sort());
  const own = shadowNames.flatMap((name) => ['get', 'update'].map((tail) => shadowTopic(thing, name, tail)));
  const { policyDocument } = read('cloud-rules/policies/beam-pilot.json');
  const publish = policyDocument.Statement.filter(
    ({ Action }: { Action: string }) => Action === 'iot:Publish',
  );
  expect(publish.flatMap(({ Resource }: { Resource: string[] }) => Resource).sort()).toEqual(
    [...Object.values(messages), basicIngest(healthRuleName, topics.health(fleet, thing)), ...own]
      .map((topic) => `arn:aws:iot:*:*:topic/${topic}`)
      .sort(),
  );
});

describe('the sign table', () => {
  const attributesOf = (iam: LambdaFunction['iam']) =>
    iam
      .filter(
        ({ actions, resource }) =>
          actions.includes('dynamodb:UpdateItem') && resource === table(signTableName),
      )
      .map(({ actions, condition }) => {
        expect(actions).toEqual(['dynamodb:UpdateItem']);
        return condition?.['ForAllValues:StringEquals']?.['dynamodb:Attributes'];
      });

  test('Commander names the grant, the record and the key in an update, and nothing else', () => {
    const { ExpressionAttributeNames, Key } = toUpdateItem(
      signTableName,
      grant('chain/AA', { recordId: 'record-1', grantEpoch: 1 }, 'demo_a'),
    );
    const named = [...Object.keys(Key), ...Object.values(ExpressionAttributeNames)].sort();
    expect(named).toEqual(['grantEpoch', 'grantTo', 'key', 'recordId']);
    for (const { iam } of functions)
      for (const attributes of attributesOf(iam)) expect([...(attributes ?? [])].sort()).toEqual(named);
    expect(functions.flatMap(({ iam }) => attributesOf(iam))).toHaveLength(1);
  });

  test('a signer reads and updates, and names what the record and the beat have', () => {
    const alias: { iam: LambdaFunction['iam'] } = read('cloud-rules/role-aliases/beam-signer.json');
    const client = readFileSync(join(root, 'signer/dynamodb.ts'), 'utf8');
    const called = [...client.matchAll(/\bcall\('(\w+)'/g)].map(([, operation]) => `dynamodb:${operation}`);
    expect(alias.iam.flatMap(({ actions }) => actions).sort()).toEqual(called.sort());
    expect(new Set(alias.iam.map(({ resource }) => resource))).toEqual(new Set([table(signTableName)]));
    const [attributes] = attributesOf(alias.iam);
    expect([...(attributes ?? [])].sort()).toEqual(
      [...new Set([...Object.keys(signRecord.shape), ...Object.keys(beatItem.shape)])].sort(),
    );
  });

  test('no function and no server may delete from it, put into it, or change it', () => {
    const alias: { iam: LambdaFunction['iam'] } = read('cloud-rules/role-aliases/beam-signer.json');
    const actions = [...functions.flatMap(({ iam }) => iam), ...alias.iam]
      .filter(({ resource }) => resource === table(signTableName))
      .flatMap((statement) => statement.actions);
    expect(new Set(actions)).toEqual(new Set(['dynamodb:GetItem', 'dynamodb:UpdateItem']));
  });
});
