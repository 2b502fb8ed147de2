/** A rule as AWS's CreateTopicRule takes it (TopicRulePayload), parsed whole: what is not known is an error by its place. */
import * as z from 'zod';
import { serviceFunctionNames } from '../engines/sql/functions-service.ts';
import { parseStatement } from '../engines/sql/parser.ts';
import { calledFunctions, type Statement } from '../engines/sql/syntax.ts';
import { isValidFilter, sizeFault } from '../engines/topic-filter.ts';
import { type Action, parseAction } from './actions.ts';

export const actionsMax = 10;

export interface TopicRule {
  ruleName: string;
  statement: Statement;
  actions: Action[];
  errorAction?: Action;
  disabled: boolean;
  /** Whether its statement or its actions call other services. */
  asksOthers: boolean;
}

export class RuleError extends Error {
  constructor(ruleName: string, faults: string[]) {
    super(
      `Rule ${ruleName} is not one that the local cloud can run:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
    this.name = 'RuleError';
  }
}

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

/**
 * @param hasServices whether functions that call other services reach any
 * @throws RuleError with every fault and its place
 */
export function parseTopicRule(ruleName: string, payload: unknown, hasServices: boolean): TopicRule {
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
  const calledIn = (tree: unknown) => serviceFunctionNames.filter((name) => calledFunctions(tree).has(name));
  if (calledIn(errorAction).length > 0) {
    faults.push('errorAction: AWS lets no function of an error action call another service');
  }
  const called = calledIn([statement, actions]);
  if (!hasServices) faults.push(...called.map((name) => `${name}() reaches no service here`));
  if (faults.length > 0 || !statement) throw new RuleError(ruleName, faults);
  return {
    ruleName,
    statement,
    actions: actions.filter((action) => action !== undefined),
    ...(errorAction && { errorAction }),
    disabled: ruleDisabled,
    asksOthers: called.length > 0,
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
