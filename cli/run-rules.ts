/** The work of `beam rules test`. */

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { localArns, withArns } from '../local-cloud/bundled-rules.ts';
import type { Explanation } from '../local-cloud/engines/sql/explain.ts';
import { type Message, readPayload } from '../local-cloud/engines/sql/message.ts';
import type { ObjectValue, Value } from '../local-cloud/engines/sql/values.ts';
import type { Call } from '../local-cloud/rules/plan-action.ts';
import { parseTopicRule, RuleError, type TopicRule } from '../local-cloud/rules/topic-rule.ts';
import { culprits, type Trial, type TriedAction, tryRule } from '../local-cloud/rules/try-rule.ts';
import { badInput, tell } from './command-line.ts';
import { exitCodes } from './errors.ts';
import type { RuleTestOptions } from './options.ts';

const ruleFile = z.strictObject({ ruleName: z.string(), topicRulePayload: z.record(z.string(), z.json()) });
/** For a file that holds the payload alone. */
const unnamed = 'rule';

export async function testRule(options: RuleTestOptions): Promise<number> {
  const trial = tryRule(readRule(options.rule), options.topic, messageOf(options));
  const failed = [...trial.actions, ...(trial.errorAction ? [trial.errorAction] : [])].some(
    (tried) => 'failure' in tried,
  );
  tell(options, asJson(trial), () => asText(trial).join('\n'));
  return trial.fires && !failed && trial.fault === undefined ? 0 : exitCodes.failed;
}

function readFile(file: string, option: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    return badInput(`${option}: cannot read ${file}`, error);
  }
}

function readJson(file: string, option: string): unknown {
  try {
    return JSON.parse(readFile(file, option).toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError)
      return badInput(`${option}: ${file} is not JSON: ${error.message}`, error);
    throw error;
  }
}

function readRule(file: string): TopicRule {
  const given = readJson(file, '--rule');
  const whole = ruleFile.safeParse(given);
  const payload = whole.success
    ? whole.data.topicRulePayload
    : z.record(z.string(), z.json()).safeParse(given).data;
  if (payload === undefined) return badInput(`--rule: ${file} holds no JSON object`);
  try {
    return parseTopicRule(whole.success ? whole.data.ruleName : unnamed, withArns(payload, localArns), true);
  } catch (error) {
    if (error instanceof RuleError) return badInput(`--rule: ${file}: ${error.message}`, error);
    throw error;
  }
}

function messageOf({ topic, payload, clientId, principal, shadow }: RuleTestOptions): Message {
  const raw = payload.startsWith('@') ? readFile(payload.slice(1), '--payload') : Buffer.from(payload);
  const shadows = new Map(shadow.map(shadowOf));
  return {
    ...readPayload(raw),
    raw,
    topic,
    ...(clientId !== undefined && { clientId }),
    ...(principal !== undefined && { principal }),
    traceId: randomUUID(),
    accountId: '000000000000',
    receivedAt: Date.now(),
    newUuid: randomUUID,
    random: Math.random,
    getThingShadow: (thing, name) => shadows.get(name === undefined ? thing : `${thing}/${name}`),
  };
}

function shadowOf(text: string): [string, ObjectValue] {
  const [, name = '', file = ''] = /^([a-zA-Z0-9:_-]+(?:\/[a-zA-Z0-9:_-]+)?)=(.+)$/.exec(text) ?? [];
  if (name === '') return badInput(`--shadow: ${text} is not THING[/NAME]=FILE`);
  const document = z.record(z.string(), z.json()).safeParse(readJson(file, '--shadow'));
  if (!document.success) return badInput(`--shadow: ${file} holds no JSON object`);
  return [name, document.data];
}

/** Bytes as base64, Undefined by name. */
function asJson(trial: Trial): unknown {
  const action = (tried: TriedAction) =>
    'call' in tried ? { action: tried.action, call: callAsJson(tried.call) } : tried;
  const part = ({ text, value, parts }: Explanation): unknown => ({
    text,
    ...(value === undefined ? { undefined: true } : { value }),
    ...(parts.length > 0 && { parts: parts.map(part) }),
  });
  const { where, selected, actions, errorAction, ...rest } = trial;
  return {
    ...rest,
    ...(where && {
      where: { ...(part(where) as object), culprits: culprits(where).map(({ text }) => text) },
    }),
    ...(selected && {
      selected: 'bytes' in selected ? { base64: selected.bytes.toString('base64') } : selected,
    }),
    actions: actions.map(action),
    ...(errorAction && { errorAction: action(errorAction) }),
  };
}

function callAsJson(call: Call): unknown {
  return call.kind === 'republish' ? { ...call, payload: call.payload.toString('utf8') } : call;
}

function asText(trial: Trial): string[] {
  const { from, where, fires, selected, fault, actions, errorAction } = trial;
  const lines = [`rule ${trial.ruleName}, topic ${trial.topic}`];
  lines.push(
    `FROM ${from.filter === undefined ? '(none)' : `'${from.filter}'`}: ${from.matches ? 'matches' : `does not match: ${from.why}`}`,
  );
  if (where) {
    lines.push(`WHERE is ${shown(where.value)}`, ...explained(where, '  '));
    const why = culprits(where).map(({ text, value }) => `${text} is ${shown(value)}`);
    if (why.length > 0) lines.push(`because ${why.join('; ')}`);
  }
  if (fault !== undefined) lines.push(`SELECT fails: ${fault}`);
  if (!fires || !selected) return [...lines, 'It does not fire.'];
  lines.push(
    `SELECT gives ${'bytes' in selected ? `the message's ${selected.bytes.length} bytes, which are no JSON` : shown(selected.json)}`,
  );
  if (actions.length === 0) lines.push('It fires, and has no actions.');
  for (const tried of actions) lines.push(actionText(tried));
  if (errorAction) lines.push(`error action: ${actionText(errorAction)}`);
  else if (actions.some((tried) => 'failure' in tried))
    lines.push('It has no error action: the failure is only logged.');
  return lines;
}

function shown(value: Value): string {
  return value === undefined ? 'Undefined' : JSON.stringify(value);
}

function explained({ text, value, parts }: Explanation, indent: string): string[] {
  return [`${indent}${text}  →  ${shown(value)}`, ...parts.flatMap((part) => explained(part, `${indent}  `))];
}

function headersOf({ headers }: Extract<Call, { kind: 'republish' }>): string {
  return headers ? ` with ${JSON.stringify(headers)}` : '';
}

function actionText(tried: TriedAction): string {
  if ('failure' in tried) {
    const { failedResource, errorMessage } = tried.failure;
    return `${tried.action} fails${failedResource === '' ? '' : ` on ${failedResource}`}: ${errorMessage}`;
  }
  const { call } = tried;
  switch (call.kind) {
    case 'lambda':
      return `lambda: ${call.functionArn} with ${shown(call.event)}`;
    case 'republish':
      return `republish: to ${call.topic} at QoS ${call.qos}${headersOf(call)}: ${call.payload.toString('utf8')}`;
    case 'dynamoDBv2':
      return `dynamoDBv2: into ${call.tableName}: ${JSON.stringify(call.item)}`;
    case 'sns':
      return `sns: to ${call.targetArn}${call.messageStructure ? ' (JSON)' : ''}: ${call.message}`;
    case 'sqs':
      return `sqs: to ${call.queueUrl}: ${call.body}`;
  }
}
