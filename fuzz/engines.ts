/** The pure engines: shadows, rules SQL, templates, policies. */

import fc from 'fast-check';
import { jsonEqual } from '../local-cloud/engines/json-tree.ts';
import { evaluate, type PolicyAction } from '../local-cloud/engines/policy.ts';
import { parsePolicy } from '../local-cloud/engines/policy-document.ts';
import {
  parseTemplate as parseProvisioning,
  resolveTemplate,
} from '../local-cloud/engines/provisioning-template.ts';
import { applyShadowRequest, type StoredShadow } from '../local-cloud/engines/shadow.ts';
import { parseShadowTopic } from '../local-cloud/engines/shadow-request.ts';
import { evaluateStatement } from '../local-cloud/engines/sql/evaluate.ts';
import { type Message, readPayload } from '../local-cloud/engines/sql/message.ts';
import { parseStatement } from '../local-cloud/engines/sql/parser.ts';
import { fillTemplate, parseTemplate } from '../local-cloud/engines/sql/template.ts';
import { isValidFilter, topicMatches } from '../local-cloud/engines/topic-filter.ts';
import { bytes, damaged, json, name, wordsOf } from './inputs.ts';
import { checkPrototypes, onlyKnownErrors, type RunningTarget, type Target, Unexpected } from './target.ts';

function pure<T>(targetName: string, arbitrary: fc.Arbitrary<T>, act: (input: T) => void): Target {
  const property = fc.property(arbitrary, (input) => {
    act(input);
    checkPrototypes();
  });
  return {
    name: targetName,
    async start(): Promise<RunningTarget> {
      return { property: property as fc.IProperty<[unknown]>, inputsPerRun: 1, stop: async () => undefined };
    },
  };
}

const updateDocument = fc
  .tuple(json, json, fc.constantFrom('', ',"version":1', ',"version":1e99', ',"clientToken":"t"'))
  .map(([desired, reported, more]) => `{"state":{"desired":${desired},"reported":${reported}}${more}}`);
const shadowPayload = bytes(fc.oneof(updateDocument, damaged(updateDocument), json, name));
const codes = [400, 404, 409, 413, 415];
const outputBytesMax = 1024 * 1024;

/** Each input meets what the accepted ones before it have left. */
let stored: StoredShadow | undefined;
const shadows = pure(
  'shadow',
  fc.record({
    payload: shadowPayload,
    operation: fc.constantFrom('update' as const, 'update' as const, 'get' as const, 'delete' as const),
  }),
  ({ payload, operation }) => {
    const before = stored?.version ?? 0;
    const { store, answer, messages } = applyShadowRequest(
      stored,
      { key: { thing: 't', shadow: 's' }, operation, payload },
      1_700_000_000_000,
    );
    const bytesOut = messages.reduce((sum, message) => sum + JSON.stringify(message.payload).length, 0);
    if (bytesOut > outputBytesMax)
      throw new Unexpected(`${bytesOut} bytes of messages for ${payload.length}`);
    if (answer.tail.endsWith('/rejected') && !codes.includes(Number(answer.payload.code)))
      throw new Unexpected(`code ${String(answer.payload.code)}`);
    if (store && store.version < before) throw new Unexpected('a version went back');
    // As it comes from disk again.
    if (!store) return;
    stored = JSON.parse(JSON.stringify(store)) as StoredShadow;
    for (const section of ['desired', 'reported'] as const)
      if (!jsonEqual(store[section].state ?? null, stored[section].state ?? null))
        throw new Unexpected(`${section} comes from disk as something else`);
  },
);

const topic = fc
  .array(fc.oneof(name, fc.constantFrom('$aws', 'things', 'shadow', 'name', 'update', 'get', '+', '#')), {
    maxLength: 10,
  })
  .map((levels) => levels.join('/'));
const topics = pure('topic', fc.tuple(topic, topic), ([one, other]) => {
  parseShadowTopic(one);
  if (isValidFilter(one)) topicMatches(one, other);
});

const sqlWords = [
  ...'SELECT * FROM WHERE AS VALUE AND OR NOT IN CASE WHEN THEN ELSE END NULL true false UNDEFINED'.split(
    ' ',
  ),
  ...[
    "'a/#'",
    "'a'",
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    ',',
    '.',
    '+',
    '-',
    '*',
    '/',
    '%',
    '=',
    '<>',
    '<',
    '>=',
    ':',
    "'",
    '"',
    '`',
  ],
  ...[
    'a',
    'b.c',
    'topic(1)',
    'timestamp()',
    'clientid()',
    'newuuid()',
    'get(a, 1)',
    'cast(a AS INT)',
    'concat(a, b)',
  ],
  ...[
    'encode(*, "base64")',
    "decode(a, 'base64')",

    "regexp_matches(a, 'a*')",
    'substring(a, -1, 1e9)',
  ],
  ...[
    "rpad(a, 1e9, 'x')",
    "lpad(a, 1e9, 'x')",
    'chr(1e9)',
    'power(9, 999)',
    "parse_time('yyyy', 1e99)",
    "time_to_epoch('x', 'y')",
    'indexof(a, b)',
    'trunc(a, 99)',
    'sha256(a)',
  ],
];
const levels = fc.constantFrom(200, 5_000, 50_000);
/** A statement that nests, or goes on, beyond any that a person writes. */
const longStatement = fc.oneof(
  fc.constant(
    "SELECT regexp_replace(a, '(x+x+)+y', 'z') AS r, rtrim(a) AS s, replace(a, 'x', a) AS t FROM 'a'",
  ),
  levels.map((count) => `SELECT ${'('.repeat(count)}1${')'.repeat(count)} FROM 'a'`),
  levels.map((count) => `SELECT ${'-'.repeat(count)}1 FROM 'a'`),
  levels.map((count) => `SELECT ${'NOT '.repeat(count)}a FROM 'a'`),
  levels.map((count) => `SELECT ${'1 + '.repeat(count)}1 FROM 'a'`),
  levels.map((count) => `SELECT a${'.a'.repeat(count)} FROM 'a'`),
);
const calls = sqlWords.filter((word) => word.length > 1 && word.includes('('));
const statementText = fc.oneof(
  { weight: 100, arbitrary: wordsOf(sqlWords, 14) },
  {
    weight: 100,
    arbitrary: fc
      .tuple(wordsOf(sqlWords, 6), wordsOf(sqlWords, 5))
      .map(([select, where]) => `SELECT ${select} FROM 'a/+' WHERE ${where}`),
  },
  { weight: 100, arbitrary: fc.constantFrom(...calls).map((call) => `SELECT ${call} AS x FROM 'a'`) },
  {
    weight: 100,
    arbitrary: damaged(
      fc.constant(
        "SELECT a.b AS c, (SELECT v FROM list WHERE v > 1) AS d, CASE a WHEN 1 THEN 'x' ELSE 'y' END AS e FROM 'a/#' WHERE get(list, 0) = 1",
      ),
    ),
  },
  { weight: 1, arbitrary: longStatement },
);
function message(raw: Buffer): Message {
  return {
    ...readPayload(raw),
    raw,
    topic: 'a/b',
    clientId: 'c',
    traceId: 't',
    accountId: '000000000000',
    receivedAt: 1_700_000_000_000,
    newUuid: () => '00000000-0000-4000-8000-000000000000',
    random: () => 0.5,
  } as Message;
}
const evilPayload = bytes(
  fc.oneof(
    json,
    fc.constant(`{"a":"${'x'.repeat(40)}","list":[1,2,{"v":3}],"b":{"c":-0}}`),
    damaged(fc.constant('{"a":1,"list":[{"v":2}]}')),
  ),
);
const sql = pure('sql', fc.tuple(statementText, evilPayload), ([text, raw]) => {
  // Error: what the engine hands to a rule's error action, by its message.
  onlyKnownErrors(['SqlError', 'Error'], () => evaluateStatement(parseStatement(text), message(raw)));
});

/** A variable, or a template's expression, as a document writes it. */
const v = (text: string) => `\${${text}}`;

const templateText = fc.oneof(
  wordsOf([...sqlWords, '${', '}', v('topic()'), v('a.b'), v('newuuid()'), '$', '{'], 8),
  damaged(fc.constant(`beam/${v('topic(2)')}/${v('a.b')}/${v('timestamp()')}`)),
);
const templates = pure('template', fc.tuple(templateText, evilPayload), ([text, raw]) => {
  onlyKnownErrors(['SqlError', 'Error'], () => fillTemplate(parseTemplate(text), message(raw)));
});

const policyText = fc.oneof(
  json,
  fc
    .tuple(json, json, json)
    .map(
      ([action, resource, condition]) =>
        `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":${action},"Resource":${resource},"Condition":${condition}}]}`,
    ),
  fc
    .tuple(
      fc.constantFrom(
        '*',
        '?',
        '**',
        `${'*a'.repeat(30)}b`,
        v('iot:ClientId'),
        '${',
        v('iot:Connection.Thing.Attributes[x]'),
        v('iot:nothing'),
      ),
      name,
    )
    .map(([pattern, other]) =>
      JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Action: ['iot:*', `iot:${other}`],
            Resource: [`arn:aws:iot:*:*:topic/${pattern}`, other],
          },
        ],
      }),
    ),
  damaged(
    fc.constant(
      '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/a"}]}',
    ),
  ),
);
const actions: PolicyAction[] = ['iot:Connect', 'iot:Publish', 'iot:Subscribe', 'iot:Receive'];
const policies = pure(
  'policy',
  fc.tuple(policyText, name, fc.constantFrom(...actions)),
  ([text, client, action]) => {
    onlyKnownErrors(['MalformedPolicy'], () => {
      const statements = parsePolicy(text);
      const variables = new Map([['iot:ClientId', client]]);
      evaluate(
        statements,
        action,
        `arn:aws:iot:local:000000000000:topic/${'a'.repeat(200)}${client}`,
        variables,
      );
    });
  },
);

const provisioningText = fc.oneof(
  json,
  fc
    .tuple(json, json, json)
    .map(
      ([parameters, properties, resources]) =>
        `{"Parameters":{"P":${parameters}},"Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":${properties}},"x":${resources}}}`,
    ),
  damaged(
    fc.constant(
      '{"Parameters":{"N":{"Type":"String"}},"Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Fn::Join":["_",["a",{"Ref":"N"}]]}}},"policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":"p"}}}}',
    ),
  ),
);
const provisioning = pure(
  'provisioning',
  fc.tuple(provisioningText, fc.dictionary(name, name, { maxKeys: 3 })),
  ([text, parameters]) => {
    onlyKnownErrors(['MalformedTemplate'], () =>
      resolveTemplate(parseProvisioning(text), new Map(Object.entries(parameters)), new Map()),
    );
  },
);

export const engineTargets: readonly Target[] = [shadows, topics, sql, templates, policies, provisioning];
