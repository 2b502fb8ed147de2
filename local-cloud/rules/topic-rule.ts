/** A rule as AWS's CreateTopicRule takes it (TopicRulePayload), parsed whole: what is not known is an error by its place. */
import * as z from 'zod';
import { parseStatement } from '../engines/sql/parser.ts';
import { calledFunctions, type Statement } from '../engines/sql/syntax.ts';
import { parseTemplate, type Template } from '../engines/sql/template.ts';
import { isValidFilter, sizeFault } from '../engines/topic-filter.ts';

export const actionsMax = 10;

export type Action =
  | { kind: 'lambda'; functionArn: Template }
  | { kind: 'republish'; topic: Template; qos: 0 | 1 };

export interface TopicRule {
  ruleName: string;
  statement: Statement;
  actions: Action[];
  errorAction?: Action;
  disabled: boolean;
}

export class RuleError extends Error {
  constructor(ruleName: string, faults: string[]) {
    super(
      `Rule ${ruleName} is not one that the local cloud can run:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
    this.name = 'RuleError';
  }
}

const lambdaAction = z.strictObject({ functionArn: z.string().min(1) });
const republishAction = z.strictObject({
  /** Of no use here: whoever loads a rule may publish. */
  roleArn: z.string().min(1),
  topic: z.string().min(1),
  qos: z.union([z.literal(0), z.literal(1)]).default(0),
});
const anyAction = z.record(z.string(), z.unknown());

const topicRulePayload = z.strictObject({
  sql: z.string(),
  description: z.string().optional(),
  actions: z.array(anyAction).max(actionsMax, `has more than ${actionsMax} actions`),
  ruleDisabled: z.boolean().default(false),
  awsIotSqlVersion: z.literal(
    '2016-03-23',
    'must be 2016-03-23 (where it is left out, AWS takes 2015-10-08, which is another language)',
  ),
  errorAction: anyAction.optional(),
});

/** Work with other services while SQL is evaluated: AWS allows it everywhere but in an error action. */
const externalFunctions = ['get_thing_shadow'];

/**
 * @param hasShadows whether get_thing_shadow() reaches any
 * @throws RuleError with every fault and its place
 */
export function parseTopicRule(ruleName: string, payload: unknown, hasShadows: boolean): TopicRule {
  const faults: string[] = [];
  if (!/^[a-zA-Z0-9_]{1,128}$/.test(ruleName))
    faults.push('ruleName: must be 1 to 128 of a-z, A-Z, 0-9 and _');
  const parsed = topicRulePayload.safeParse(payload);
  if (!parsed.success) {
    const shown = parsed.error.issues.map(
      ({ path, message }) => `${path.join('.') || 'topicRulePayload'}: ${message}`,
    );
    throw new RuleError(ruleName, [...faults, ...shown]);
  }
  const attempt = <T>(place: string, parse: () => T): T | undefined => {
    try {
      return parse();
    } catch (error) {
      faults.push(...faultsOf(error).map((fault) => `${place}${fault}`));
      return undefined;
    }
  };
  const { sql, actions: given, errorAction: givenErrorAction, ruleDisabled } = parsed.data;
  const statement = attempt('sql: ', () => parseRuleSql(sql));
  const actions = given.map((action, index) => attempt(`actions.${index}.`, () => parseAction(action)));
  const errorAction = givenErrorAction && attempt('errorAction.', () => parseAction(givenErrorAction));
  if (errorAction && externalFunctions.some((name) => calledFunctions(errorAction).has(name))) {
    faults.push('errorAction: AWS lets no function of an error action call another service');
  }
  if (!hasShadows && calledFunctions([statement, actions]).has('get_thing_shadow')) {
    faults.push('get_thing_shadow() reaches no shadows here');
  }
  if (faults.length > 0 || !statement) throw new RuleError(ruleName, faults);
  return {
    ruleName,
    statement,
    actions: actions.filter((action) => action !== undefined),
    ...(errorAction && { errorAction }),
    disabled: ruleDisabled,
  };
}

function faultsOf(error: unknown): string[] {
  if (!(error instanceof z.ZodError)) return [error instanceof Error ? error.message : String(error)];
  return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

function parseRuleSql(sql: string): Statement {
  const statement = parseStatement(sql);
  const { from } = statement;
  if (from !== undefined) {
    const fault =
      sizeFault(from) ?? (isValidFilter(from) ? undefined : 'has a wildcard that is no level of its own');
    if (fault) throw new Error(`the topic filter '${from}' ${fault}`);
    if (from.startsWith('$aws/rules/'))
      throw new Error('no rule can be subscribed to Basic Ingest: leave FROM out');
  }
  return statement;
}

function parseAction(action: Record<string, unknown>): Action {
  const [kind, ...more] = Object.keys(action);
  if (kind === undefined || more.length > 0)
    throw new Error('kind: an action has exactly one, such as lambda');
  const at = <T>(schema: z.ZodType<T>): T => z.object({ [kind]: schema }).parse(action)[kind] as T;
  if (kind === 'lambda') {
    return { kind, functionArn: templateAt('lambda.functionArn', at(lambdaAction).functionArn) };
  }
  if (kind === 'republish') {
    const { topic, qos } = at(republishAction);
    const template = templateAt('republish.topic', topic);
    const fault = republishFault(topic, template);
    if (fault) throw new Error(`republish.topic: '${topic}' ${fault}`);
    return { kind, topic: template, qos };
  }
  throw new Error(`${kind}: this kind of action is not in the local cloud; it has lambda and republish`);
}

function templateAt(place: string, text: string): Template {
  try {
    return parseTemplate(text);
  } catch (error) {
    throw new Error(`${place}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** What can be known of a topic before the first message. */
function republishFault(topic: string, template: Template): string | undefined {
  if (/^\$(?![${])/.test(topic)) return 'begins with $: a reserved topic is written with $$';
  if (template.some((part) => typeof part === 'string' && /[+#]/.test(part))) return 'has a wildcard';
  return undefined;
}

/** The topic that a republish names: `$$aws/…` stands for `$aws/…`. @throws where it is none */
export function republishTopic(filled: string): string {
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
