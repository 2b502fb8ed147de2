/** What an action does with a message, as data: every argument as it goes out. The rules engine carries it out. */
import { type JsonAttribute, toJsonItem } from '../../protocol/dynamodb-json.ts';
import type { Message } from '../engines/sql/message.ts';
import { fillTemplate } from '../engines/sql/template.ts';
import { isObject, type Value } from '../engines/sql/values.ts';
import { sizeFault } from '../engines/topic-filter.ts';
import type { Action, HeaderTemplates } from './actions.ts';
import { headerFaults, type MqttHeaders } from './mqtt-properties.ts';

export type Call =
  | { kind: 'lambda'; functionArn: string; functionName: string; event: Value }
  | { kind: 'republish'; topic: string; payload: Buffer; qos: 0 | 1; headers?: MqttHeaders }
  | { kind: 'dynamoDBv2'; tableName: string; item: Record<string, JsonAttribute> }
  | { kind: 'sns'; targetArn: string; message: string; messageStructure?: 'json' }
  | { kind: 'sqs'; queueUrl: string; body: string };

/** An action that can't be done with this message. */
export class ActionError extends Error {
  override readonly name = 'ActionError';
  /** What it would have acted on, as far as it was known. */
  readonly resource: string;
  constructor(resource: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.resource = resource;
  }
}

/**
 * @param output what the SELECT gave; bytes where the message is no JSON
 * @throws ActionError
 */
export function planAction(action: Action, output: Value | Buffer, message: Message): Call {
  let resource = '';
  const filled = (text: string) => {
    resource = text;
    return text;
  };
  try {
    switch (action.kind) {
      case 'lambda': {
        const functionArn = filled(fillTemplate(action.functionArn, message));
        if (Buffer.isBuffer(output)) throw new Error("a message that is no JSON: select encode(*, 'base64')");
        const functionName = functionNameOf(functionArn);
        // Undefined alone is an empty payload, which a function sees as {}.
        return { kind: 'lambda', functionArn, functionName, event: output === undefined ? {} : output };
      }
      case 'republish': {
        const topic = filled(republishTopic(filled(fillTemplate(action.topic, message))));
        const headers = action.headers && { headers: filledHeaders(action.headers, message) };
        return { kind: 'republish', topic, payload: bytesOf(output), qos: action.qos, ...headers };
      }
      case 'dynamoDBv2': {
        const tableName = filled(fillTemplate(action.tableName, message));
        if (Buffer.isBuffer(output) || !isObject(output)) {
          throw new Error('the SELECT must give a JSON object: each of its members becomes an attribute');
        }
        return { kind: 'dynamoDBv2', tableName, item: toJsonItem(output) };
      }
      case 'sns': {
        const targetArn = filled(fillTemplate(action.targetArn, message));
        const text = bytesOf(output).toString('utf8');
        if (action.messageFormat === 'RAW') return { kind: 'sns', targetArn, message: text };
        return { kind: 'sns', targetArn, message: text, messageStructure: 'json' };
      }
      case 'sqs': {
        const queueUrl = filled(fillTemplate(action.queueUrl, message));
        const body = bytesOf(output).toString(action.useBase64 ? 'base64' : 'utf8');
        return { kind: 'sqs', queueUrl, body };
      }
    }
  } catch (error) {
    throw new ActionError(resource, error);
  }
}

/** What a failure names as its resource. */
export function resourceOf(call: Call): string {
  switch (call.kind) {
    case 'lambda':
      return call.functionArn;
    case 'republish':
      return call.topic;
    case 'dynamoDBv2':
      return call.tableName;
    case 'sns':
      return call.targetArn;
    case 'sqs':
      return call.queueUrl;
  }
}

function bytesOf(output: Value | Buffer): Buffer {
  return Buffer.isBuffer(output) ? output : Buffer.from(JSON.stringify(output) ?? '');
}

/** @throws where a header is not what it must be */
function filledHeaders({ texts, userProperties }: HeaderTemplates, message: Message): MqttHeaders {
  const headers: MqttHeaders = {};
  for (const [name, template] of texts) {
    const text = fillTemplate(template, message);
    const fault = headerFaults[name](text);
    if (fault) throw new Error(`headers.${name}: '${text}' ${fault}`);
    headers[name] = text;
  }
  if (userProperties.length > 0) {
    headers.userProperties = userProperties.map(({ key, value }) => ({
      key: fillTemplate(key, message),
      value: fillTemplate(value, message),
    }));
  }
  return headers;
}

/** The topic that a republish names: `$$aws/…` stands for `$aws/…`. @throws where it is none */
function republishTopic(filled: string): string {
  const topic = filled.startsWith('$$') ? filled.slice(1) : filled;
  const fault = sizeFault(topic) ?? (/[+#]/.test(topic) ? 'has a wildcard' : undefined);
  if (fault) throw new Error(`the topic '${topic}' ${fault}`);
  if (filled.startsWith('$') && !filled.startsWith('$$')) throw new Error(`'${topic}' is reserved: write $$`);
  return topic;
}

/** @throws where it is no function's ARN */
export function functionNameOf(functionArn: string): string {
  const name =
    /^arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:([A-Za-z0-9_-]{1,64})(?::[A-Za-z0-9_$-]+)?$/.exec(
      functionArn,
    )?.[1];
  if (!name) throw new Error(`'${functionArn}' is not the ARN of a function`);
  return name;
}
