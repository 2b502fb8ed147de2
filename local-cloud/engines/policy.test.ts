import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import pilotsPolicy from '../../cloud-rules/policies/beam-pilot.json' with { type: 'json' };
import { connectionVariables, evaluate, type PolicyAction } from './policy.ts';
import { MalformedPolicy, parsePolicy } from './policy-document.ts';

/** A policy variable as a document writes it. */
const v = (name: string) => `\${${name}}`;
const arn = (rest: string) => `arn:aws:iot:local:000000000000:${rest}`;
const pilot = connectionVariables({
  clientId: 'demo_val-1',
  thing: { name: 'demo_val-1', typeName: 'beam-pilot', attributes: { fleet: 'demo' } },
});
const stranger = connectionVariables({ clientId: 'stranger' });

function decide(
  statements: unknown,
  action: PolicyAction,
  resource: string,
  variables: ReadonlyMap<string, string> = pilot,
) {
  const parsed = parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }));
  return evaluate(parsed, action, arn(resource), variables);
}
const allow = (resource: string | string[], action: string | string[] = 'iot:*') => ({
  Effect: 'Allow',
  Action: action,
  Resource: resource,
});

test('without a statement that allows it, nothing is allowed', () => {
  expect(decide(allow(arn('topic/a'), 'iot:Publish'), 'iot:Publish', 'topic/b')).toBe('not-allowed');
  expect(decide(allow(arn('topic/a'), 'iot:Publish'), 'iot:Receive', 'topic/a')).toBe('not-allowed');
  expect(decide(allow(arn('topic/a'), ['iot:Publish', 'iot:Receive']), 'iot:Receive', 'topic/a')).toBe(
    'allowed',
  );
});

test('a denial wins wherever it stands', () => {
  const deny = { Effect: 'Deny', Action: 'iot:Publish', Resource: '*' };
  expect(decide([deny, allow('*')], 'iot:Publish', 'topic/a')).toBe('denied');
  expect(decide([allow('*'), deny], 'iot:Publish', 'topic/a')).toBe('denied');
  expect(decide([allow('*'), deny], 'iot:Receive', 'topic/a')).toBe('allowed');
});

test.each([
  ['topic/a/*', 'topic/a/b/c', true],
  ['topic/a/*', 'topic/a/', true],
  ['topic/a/*', 'topic/a', false],
  ['topic/a?c', 'topic/abc', true],
  ['topic/a?c', 'topic/ac', false],
  ['topic/*/end', 'topic/a/b/end', true],
  ['topic/*a*b', 'topic/xaab', true],
  ['topic/*a*b', 'topic/xaba', false],
  ['topicfilter/a/+/b', 'topicfilter/a/+/b', true],
  ['topicfilter/a/+/b', 'topicfilter/a/x/b', false],
  ['topicfilter/a/#', 'topicfilter/a/b', false],
])('%s and %s: %p', (pattern, name, expected) => {
  const decision = decide(allow(`arn:aws:iot:*:*:${pattern}`), 'iot:Publish', name);
  expect(decision).toBe(expected ? 'allowed' : 'not-allowed');
});

test("variables stand for the connection's own names", () => {
  const own = allow([
    arn(`topic/beam/${v('iot:Connection.Thing.Attributes[fleet]')}/${v('iot:Connection.Thing.ThingName')}/*`),
    arn(`client/${v('iot:ClientId')}`),
    arn(`topic/type/${v('iot:Connection.Thing.ThingTypeName')}`),
  ]);
  expect(decide(own, 'iot:Publish', 'topic/beam/demo/demo_val-1/health')).toBe('allowed');
  expect(decide(own, 'iot:Publish', 'topic/beam/demo/demo_val-2/health')).toBe('not-allowed');
  expect(decide(own, 'iot:Publish', 'topic/type/beam-pilot')).toBe('allowed');
  expect(decide(own, 'iot:Connect', 'client/demo_val-1')).toBe('allowed');
});

test("a pilot's policy lets it speak to the health rule for itself, and to no other rule or thing", () => {
  const { Statement } = pilotsPolicy.policyDocument;
  const publish = (topic: string) => decide(Statement, 'iot:Publish', `topic/$aws/rules/${topic}`);
  expect(publish('beam_health/beam/demo/demo_val-1/health')).toBe('allowed');
  expect(publish('beam_health/beam/demo/demo_val-2/health')).toBe('not-allowed');
  expect(publish('beam_role_request/beam/demo/demo_val-1/health')).toBe('not-allowed');
  expect(publish('beam_health/beam/demo/demo_val-1/event/role-request')).toBe('not-allowed');
});

test('a variable without a value matches nothing', () => {
  const own = allow(arn(`topic/${v('iot:Connection.Thing.ThingName')}`));
  expect(decide(own, 'iot:Publish', 'topic/stranger', stranger)).toBe('not-allowed');
  expect(decide(own, 'iot:Publish', 'topic/', stranger)).toBe('not-allowed');
  expect(
    decide(allow(arn(`topic/${v('iot:Certificate.Subject.CommonName')}`)), 'iot:Publish', 'topic/'),
  ).toBe('not-allowed');
});

test('wildcards in a value of a variable are plain characters', () => {
  const sly = connectionVariables({ clientId: '*', thing: { name: '*', attributes: {} } });
  const own = allow(arn(`topic/${v('iot:Connection.Thing.ThingName')}/x`));
  expect(decide(own, 'iot:Publish', 'topic/demo_val-1/x', sly)).toBe('not-allowed');
  expect(decide(own, 'iot:Publish', 'topic/*/x', sly)).toBe('allowed');
  expect(decide(allow(arn(`topic/${v('*')}`)), 'iot:Publish', 'topic/abc')).toBe('not-allowed');
});

test('conditions: all of them must hold', () => {
  const attached = {
    ...allow('*'),
    Condition: { Bool: { 'iot:Connection.Thing.IsAttached': 'true' } },
  };
  expect(decide(attached, 'iot:Connect', 'client/demo_val-1')).toBe('allowed');
  expect(decide(attached, 'iot:Connect', 'client/stranger', stranger)).toBe('not-allowed');
  const typed = {
    ...allow('*'),
    Condition: {
      Bool: { 'iot:Connection.Thing.IsAttached': [true] },
      StringLike: { 'iot:Connection.Thing.ThingTypeName': ['beam-*'] },
      StringNotEquals: { 'iot:ClientId': 'demo_val-2' },
    },
  };
  expect(decide(typed, 'iot:Connect', 'client/demo_val-1')).toBe('allowed');
  const other = { ...allow('*'), Condition: { StringEquals: { 'iot:ClientId': ['a', 'b'] } } };
  expect(decide(other, 'iot:Connect', 'client/demo_val-1')).toBe('not-allowed');
});

test.each([
  ['not JSON', '{', /not JSON/],
  ['no statement', '{"Version":"2012-10-17"}', /Statement/],
  ['another version', '{"Version":"2020-01-01","Statement":[]}', /Version/],
  [
    'NotAction',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"iot:*","Resource":"*"}]}',
    /NotAction/,
  ],
  [
    'an operator that is not known',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"1.2.3.4/8"}}}]}',
    /IpAddress|Condition/,
  ],
  [
    'more than 2,048 bytes',
    JSON.stringify({ Version: '2012-10-17', Statement: [allow('x'.repeat(2048))] }),
    /maximum is 2048/,
  ],
])('refused when made: %s', (_name, document, message) => {
  expect(() => parsePolicy(document)).toThrow(MalformedPolicy);
  expect(() => parsePolicy(document)).toThrow(message);
});

test('wildcards match as the regular expression of the same meaning', () => {
  const piece = fc.constantFrom('a', 'b', '/', '*', '?', '+');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.array(piece, { maxLength: 8 }), (pattern, text) => {
      const regex = new RegExp(
        `^${pattern.map((c) => (c === '*' ? '[^]*' : c === '?' ? '[^]' : c.replace(/[+/]/, '\\$&'))).join('')}$`,
      );
      const decision = decide(
        allow(arn(`topic/${pattern.join('')}`)),
        'iot:Publish',
        `topic/${text.join('')}`,
      );
      expect(decision === 'allowed').toBe(regex.test(text.join('')));
    }),
    { numRuns: 500 },
  );
});

test('a pattern of many wildcards is decided at once', () => {
  const slow = allow(arn(`topic/${'*a'.repeat(100)}b`));
  const started = performance.now();
  expect(decide(slow, 'iot:Publish', `topic/${'a'.repeat(250)}`)).toBe('not-allowed');
  // Way back and forth, it would not end at all; a busy machine may pause for some hundred milliseconds.
  expect(performance.now() - started).toBeLessThan(1_000);
});
