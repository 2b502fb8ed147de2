/** What each table of the store must hold: the shape of a record, and what it must say beyond its shape. */

import { X509Certificate } from 'node:crypto';
import * as z from 'zod';
import { parsePolicy } from '../engines/policy-document.ts';
import { shadowNamePattern, thingNamePattern } from '../engines/shadow-request.ts';
import { parseSchedule } from '../events/schedule-expression.ts';
import { certificateIdOf } from '../registry/certificate-pem.ts';
import { certificateStatuses } from '../registry/records.ts';
import { parseTopicRule } from '../rules/topic-rule.ts';
import { pairOf } from '../store/store.ts';

const seconds = z.number().nonnegative();
const texts = z.record(z.string(), z.string());
const tree = z.record(z.string(), z.unknown());
const section = z.looseObject({ state: tree.optional(), metadata: tree.optional() });

const message = z.looseObject({
  topic: z.string(),
  payload: z.base64(),
  qos: z.union([z.literal(0), z.literal(1)]),
});
const pair = z.literal(1);

/** Members that are not named here are let pass: a record may have more. */
const shapes: Record<string, z.ZodType> = {
  shadows: z.looseObject({
    version: z.number().int().positive(),
    desired: section,
    reported: section,
    deletedAtMs: z.number().optional(),
  }),
  things: z.looseObject({
    thingName: z.string(),
    thingId: z.string(),
    thingTypeName: z.string().optional(),
    attributes: texts,
    version: z.number().int().positive(),
  }),
  'thing-types': z.looseObject({ thingTypeName: z.string(), thingTypeId: z.string(), createdAt: seconds }),
  'thing-groups': z.looseObject({
    thingGroupName: z.string(),
    thingGroupId: z.string(),
    parentGroupName: z.string().optional(),
    attributes: texts,
  }),
  certificates: z.looseObject({
    certificateId: z.string().regex(/^[0-9a-f]{64}$/),
    pem: z.string(),
    status: z.enum([...certificateStatuses, 'PENDING_ACTIVATION']),
    createdAt: seconds,
    notBefore: z.number(),
    notAfter: z.number(),
  }),
  'ca-certificates': z.looseObject({
    certificateId: z.string().regex(/^[0-9a-f]{64}$/),
    pem: z.string(),
    status: z.enum(['ACTIVE', 'INACTIVE']),
    autoRegistrationStatus: z.enum(['ENABLE', 'DISABLE']),
    mode: z.enum(['DEFAULT', 'SNI_ONLY']),
  }),
  'registration-codes': z.string().regex(/^[0-9a-f]{64}$/),
  policies: z.looseObject({ policyName: z.string() }),
  'topic-rules': z.looseObject({ ruleName: z.string(), payload: tree, createdAt: seconds }),
  retained: z.looseObject({
    payload: z.base64(),
    qos: z.union([z.literal(0), z.literal(1)]),
    atMs: z.number(),
  }),
  presence: z.number().int(),
  functions: z.looseObject({
    name: z.string(),
    handler: z.string(),
    timeoutSeconds: z.number(),
    memoryMb: z.number(),
    environment: texts,
    codeSha256: z.string(),
    policy: z.array(tree),
  }),
  'function-code': z.base64(),
  'lambda-events': z.looseObject({ functionName: z.string(), requestId: z.string(), attempts: z.number() }),
  roles: z.looseObject({ roleName: z.string(), assumeRolePolicy: z.string(), policies: texts }),
  'event-rules': z.looseObject({
    name: z.string(),
    scheduleExpression: z.string(),
    enabled: z.boolean(),
    targets: z.array(tree),
    createdAtMs: z.number(),
  }),
  topics: z.looseObject({ topicArn: z.string(), attributes: texts }),
  subscriptions: z.looseObject({ subscriptionArn: z.string(), topicArn: z.string(), endpoint: z.string() }),
  deliveries: z.looseObject({ subscriptionArn: z.string(), notification: tree, attempts: z.number() }),
  queues: z.looseObject({ name: z.string(), attributes: texts }),
  'group-things': pair,
  'thing-groups-of': pair,
  'policy-targets': pair,
  'target-policies': pair,
  'thing-principals': pair,
  'principal-things': pair,
  'policy-versions': z.looseObject({ document: z.string() }),
  'role-aliases': z.looseObject({ roleAlias: z.string(), roleArn: z.string() }),
  tags: texts,
  'provisioning-templates': z.looseObject({ templateName: z.string(), defaultVersionId: z.number().int() }),
  'provisioning-versions': z.looseObject({ body: z.string() }),
  'rule-messages': z.looseObject({
    topic: z.string(),
    payload: z.base64(),
    rules: z.array(z.string()),
    hops: z.number().int(),
    runs: z.number().int(),
  }),
  sessions: z.looseObject({
    id: z.string(),
    kind: z.union([z.literal(3), z.literal(5)]),
    expirySeconds: z.number(),
    subscriptions: z.array(z.looseObject({ filter: z.string(), qos: z.number() })),
  }),
  queued: message,
  wills: message.extend({ clientId: z.string(), principalId: z.string(), dueAtMs: z.number() }),
  marks: z.number(),
  'queue-messages': z.looseObject({ messageId: z.string(), body: z.string(), sentAtMs: z.number() }),
};

/** The member that repeats a record's key. */
const nameMembers: Record<string, string> = {
  things: 'thingName',
  'thing-types': 'thingTypeName',
  'thing-groups': 'thingGroupName',
  certificates: 'certificateId',
  'ca-certificates': 'certificateId',
  policies: 'policyName',
  'role-aliases': 'roleAlias',
  'provisioning-templates': 'templateName',
  'topic-rules': 'ruleName',
  functions: 'name',
  'lambda-events': 'requestId',
  roles: 'roleName',
  'event-rules': 'name',
  topics: 'topicArn',
  subscriptions: 'subscriptionArn',
  queues: 'name',
};

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

function certificateFault(key: string, pem: string): string | undefined {
  try {
    const id = certificateIdOf(new X509Certificate(pem).raw);
    return id === key ? undefined : `its certificate is another one, ${id}`;
  } catch (error) {
    return `its certificate can't be read: ${messageOf(error)}`;
  }
}

function shadowFault(key: string): string | undefined {
  const [thing, shadow] = pairOf(key);
  const fits = thingNamePattern.test(thing) && (shadow === '' || shadowNamePattern.test(shadow));
  return fits ? undefined : 'its key is no name of a shadow';
}

/** What a record says beyond its shape. The value has its table's shape. */
function contentFault(table: string, key: string, value: Record<string, unknown>): string | undefined {
  try {
    if (table === 'shadows') return shadowFault(key);
    if (table === 'certificates' || table === 'ca-certificates')
      return certificateFault(key, String(value.pem));
    if (['policies', 'policy-versions'].includes(table) && typeof value.document === 'string')
      parsePolicy(value.document);
    if (table === 'topic-rules') parseTopicRule(key, value.payload, true);
    if (table === 'event-rules') parseSchedule(String(value.scheduleExpression));
  } catch (error) {
    return messageOf(error);
  }
  return undefined;
}

/** @returns what is wrong with a record by itself; undefined: nothing, or a table of which only the JSON is known */
export function recordFault(table: string, key: string, value: unknown): string | undefined {
  const shape = shapes[table];
  if (!shape) return undefined;
  const parsed = shape.safeParse(value);
  if (!parsed.success) {
    return parsed.error.issues
      .map(({ path, message }) => `${path.join('.') || 'the value'}: ${message}`)
      .join('; ');
  }
  const record = value as Record<string, unknown>;
  const nameMember = nameMembers[table];
  if (nameMember !== undefined && record[nameMember] !== key)
    return `it calls itself ${String(record[nameMember])}`;
  return contentFault(table, key, record);
}
