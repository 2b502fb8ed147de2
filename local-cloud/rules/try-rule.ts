/** What a rule would do with a message, and why, without doing any of it. */
import { evaluateStatement } from '../engines/sql/evaluate.ts';
import { type Explanation, explain } from '../engines/sql/explain.ts';
import type { Message } from '../engines/sql/message.ts';
import type { Value } from '../engines/sql/values.ts';
import { parseBasicIngest, sizeFault, topicMatches } from '../engines/topic-filter.ts';
import { type Action, actionNames } from './actions.ts';
import { type Failure, failureReport } from './failure.ts';
import { ActionError, type Call, planAction } from './plan-action.ts';
import type { TopicRule } from './topic-rule.ts';

export type TriedAction = { action: string; call: Call } | ({ action: string } & { failure: Failure });

export interface Trial {
  ruleName: string;
  /** As the rule sees it: without Basic Ingest's prefix. */
  topic: string;
  from: { filter: string | undefined; matches: boolean; why?: string };
  /** Left out where the rule has none, or the message does not come to it. */
  where?: Explanation;
  fires: boolean;
  /** The SELECT's result; `bytes` where the message is no JSON and goes on as it is. */
  selected?: { json: Value } | { bytes: Buffer };
  /** Why nothing could be selected. */
  fault?: string;
  actions: TriedAction[];
  /** What the error action would get, and do. */
  errorAction?: TriedAction;
}

/** @param published the topic that the message is published to; `message.topic` is left out of account */
export function tryRule(rule: TopicRule, published: string, given: Message): Trial {
  const ingest = parseBasicIngest(published);
  const topic = ingest?.topic ?? published;
  const message = { ...given, topic };
  const from = judgeFrom(rule, published, ingest?.rule, topic);
  const trial: Trial = { ruleName: rule.ruleName, topic, from, fires: false, actions: [] };
  if (!from.matches) return trial;
  const { where } = rule.statement;
  try {
    if (where) trial.where = explain(where, message.payload, message);
    const evaluation = evaluateStatement(rule.statement, message);
    if (!evaluation.fires) return trial;
    const { output } = evaluation;
    trial.fires = true;
    trial.selected = Buffer.isBuffer(output) ? { bytes: output } : { json: output };
    trial.actions = rule.actions.map((action) => tryAction(action, output, message));
  } catch (error) {
    trial.fault = error instanceof Error ? error.message : String(error);
    return trial;
  }
  const failures = trial.actions.flatMap((tried) => ('failure' in tried ? [tried.failure] : []));
  if (failures.length > 0 && rule.errorAction) {
    trial.errorAction = tryAction(rule.errorAction, failureReport(rule.ruleName, message, failures), message);
  }
  return trial;
}

function judgeFrom(
  rule: TopicRule,
  published: string,
  ingestedBy: string | undefined,
  topic: string,
): Trial['from'] {
  const filter = rule.statement.from;
  const no = (why: string) => ({ filter, matches: false, why });
  const fault = sizeFault(published) ?? (/[+#]/.test(published) ? 'has a wildcard' : undefined);
  if (fault) return no(`the topic ${fault}`);
  if (rule.disabled) return no('the rule is disabled');
  if (ingestedBy !== undefined && ingestedBy !== rule.ruleName)
    return no(`Basic Ingest names the rule ${ingestedBy}`);
  if (filter === undefined) {
    return ingestedBy === undefined
      ? no(`a rule without FROM is reached by Basic Ingest alone: $aws/rules/${rule.ruleName}/…`)
      : { filter, matches: true };
  }
  return topicMatches(filter, topic) ? { filter, matches: true } : no(whyNot(filter, topic));
}

function whyNot(filter: string, topic: string): string {
  if (topic.startsWith('$') && /^[+#]/.test(filter))
    return 'a filter that begins with a wildcard does not match topics that begin with $';
  const wanted = filter.split('/');
  const levels = topic.split('/');
  const at = wanted.findIndex((level, index) => level !== '+' && level !== '#' && level !== levels[index]);
  const hash = wanted.at(-1) === '#';
  if (at >= 0 && at < levels.length)
    return `level ${at + 1} of the topic is '${levels[at]}', not '${wanted[at]}'`;
  return `the topic has ${levels.length} levels, the filter asks for ${wanted.length}${hash ? ' or more' : ''}`;
}

function tryAction(action: Action, output: Value | Buffer, message: Message): TriedAction {
  const name = actionNames[action.kind];
  try {
    return { action: name, call: planAction(action, output, message) };
  } catch (error) {
    if (!(error instanceof ActionError)) throw error;
    return {
      action: name,
      failure: { failedAction: name, failedResource: error.resource, errorMessage: error.message },
    };
  }
}

/** The parts that made a condition not true, each with its value: what to look at first. */
export function culprits(explanation: Explanation): Explanation[] {
  const { value, parts } = explanation;
  if (value === true) return [];
  const below = parts.filter((part) => isLogical(part) && part.value !== true);
  return below.length === 0 ? [explanation] : below.flatMap(culprits);
}

function isLogical({ value, parts }: Explanation): boolean {
  return typeof value === 'boolean' || (value === undefined && parts.length > 0);
}
