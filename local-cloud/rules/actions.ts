/** The kinds of actions that a rule can have, as AWS's CreateTopicRule takes them; their templates are parsed at load. */
import * as z from 'zod';
import { parseTemplate, type Template } from '../engines/sql/template.ts';
import { headerFaults } from './mqtt-properties.ts';

export type Action =
  | { kind: 'lambda'; functionArn: Template }
  | { kind: 'republish'; topic: Template; qos: 0 | 1; headers?: HeaderTemplates }
  | { kind: 'dynamoDBv2'; tableName: Template }
  | { kind: 'sns'; targetArn: Template; messageFormat: 'RAW' | 'JSON' }
  | { kind: 'sqs'; queueUrl: Template; useBase64: boolean };

/** Of MQTT 5. */
export interface HeaderTemplates {
  texts: [name: keyof typeof headerFaults, text: Template][];
  userProperties: { key: Template; value: Template }[];
}

export type ActionKind = Action['kind'];

/** As error messages of rules name them. */
export const actionNames: Record<ActionKind, string> = {
  lambda: 'LambdaAction',
  republish: 'RepublishAction',
  dynamoDBv2: 'DynamoDBv2Action',
  sns: 'SnsAction',
  sqs: 'SqsAction',
};

const text = z.string().min(1);
/** Of no use here: whoever loads a rule may do what its actions do. */
const roleArn = text;
const headers = z.strictObject({
  payloadFormatIndicator: text.optional(),
  contentType: text.optional(),
  responseTopic: text.optional(),
  correlationData: text.optional(),
  messageExpiry: text.optional(),
  userProperties: z.array(z.strictObject({ key: text, value: z.string() })).optional(),
});
const schemas = {
  lambda: z.strictObject({ functionArn: text }),
  republish: z.strictObject({
    roleArn,
    topic: text,
    qos: z.union([z.literal(0), z.literal(1)]).default(0),
    headers: headers.optional(),
  }),
  dynamoDBv2: z.strictObject({ roleArn, putItem: z.strictObject({ tableName: text }) }),
  sns: z.strictObject({ roleArn, targetArn: text, messageFormat: z.enum(['RAW', 'JSON']).default('RAW') }),
  sqs: z.strictObject({ roleArn, queueUrl: text, useBase64: z.boolean().default(false) }),
};

type Given<K extends ActionKind> = z.infer<(typeof schemas)[K]>;

/** By kind, from what was given to what is run. */
const readers: { [K in ActionKind]: (given: Given<K>) => Action } = {
  lambda: ({ functionArn }) => ({
    kind: 'lambda',
    functionArn: templateAt('lambda.functionArn', functionArn),
  }),
  republish({ topic, qos, headers }) {
    const template = templateAt('republish.topic', topic);
    const fault = republishFault(topic, template);
    if (fault) throw new Error(`republish.topic: '${topic}' ${fault}`);
    return { kind: 'republish', topic: template, qos, ...(headers && { headers: headerTemplates(headers) }) };
  },
  dynamoDBv2: ({ putItem }) => ({
    kind: 'dynamoDBv2',
    tableName: templateAt('dynamoDBv2.putItem.tableName', putItem.tableName),
  }),
  sns: ({ targetArn, messageFormat }) => ({
    kind: 'sns',
    targetArn: templateAt('sns.targetArn', targetArn),
    messageFormat,
  }),
  sqs: ({ queueUrl, useBase64 }) => ({
    kind: 'sqs',
    queueUrl: templateAt('sqs.queueUrl', queueUrl),
    useBase64,
  }),
};

function isKind(kind: string): kind is ActionKind {
  return Object.hasOwn(schemas, kind);
}

/** @throws Error or ZodError that says what is wrong, and where in the action */
export function parseAction(action: Record<string, unknown>): Action {
  const [kind, ...more] = Object.keys(action);
  if (kind === undefined || more.length > 0)
    throw new Error('kind: an action has exactly one, such as lambda');
  if (!isKind(kind)) {
    const known = Object.keys(schemas).join(', ');
    throw new Error(`${kind}: this kind of action is not in the local cloud; it has ${known}`);
  }
  return read(kind, action);
}

function read<K extends ActionKind>(kind: K, action: Record<string, unknown>): Action {
  const given = z.object({ [kind]: schemas[kind] }).parse(action);
  return readers[kind](given[kind] as Given<K>);
}

function templateAt(place: string, given: string): Template {
  try {
    return parseTemplate(given);
  } catch (error) {
    throw new Error(`${place}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function headerTemplates({ userProperties = [], ...given }: z.infer<typeof headers>): HeaderTemplates {
  const place = (name: string) => `republish.headers.${name}`;
  const texts = Object.entries(given).map(([name, value]): HeaderTemplates['texts'][number] => {
    const known = name as keyof typeof headerFaults;
    const template = templateAt(place(name), value);
    const fault = template.every((part) => typeof part === 'string') ? headerFaults[known](value) : undefined;
    if (fault) throw new Error(`${place(name)}: '${value}' ${fault}`);
    return [known, template];
  });
  return {
    texts,
    userProperties: userProperties.map(({ key, value }, index) => ({
      key: templateAt(place(`userProperties.${index}.key`), key),
      value: templateAt(place(`userProperties.${index}.value`), value),
    })),
  };
}

/** What can be known of a topic before the first message. */
function republishFault(topic: string, template: Template): string | undefined {
  if (/^\$(?![${])/.test(topic)) return 'begins with $: a reserved topic is written with $$';
  if (template.some((part) => typeof part === 'string' && /[+#]/.test(part))) return 'has a wildcard';
  return undefined;
}
