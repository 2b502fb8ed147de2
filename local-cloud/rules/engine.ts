/**
 * The rules engine: each message that a rule's FROM matches and its WHERE lets pass goes, as its SELECT shapes it,
 * to the rule's actions; where one fails, to its error action. Rules start in the order of the messages.
 */
import { randomUUID } from 'node:crypto';
import { evaluateStatement } from '../engines/sql/evaluate.ts';
import { type Message, parsePayload } from '../engines/sql/message.ts';
import type { ObjectValue, Value } from '../engines/sql/values.ts';
import { FilterIndex, parseBasicIngest, topicMatches } from '../engines/topic-filter.ts';
import { type Action, actionNames } from './actions.ts';
import { type Failure, failureReport } from './failure.ts';
import { ActionError, type Call, planAction, resourceOf } from './plan-action.ts';
import { parseTopicRule, type TopicRule } from './topic-rule.ts';

/** One a kind of action; each fails where what it asks for is not accepted. */
export type ActionExecutors = {
  [K in Call['kind']]: (
    call: Extract<Call, { kind: K }>,
    ruleName: string,
    /** How many rules led to this call, this one among them: a republished message carries it on. */
    hops: number,
  ) => Promise<unknown> | unknown;
};

export interface RulesEngineOptions {
  /** `republish` hands a message to the broker, and so to the shadow service and to this engine again. */
  executors: ActionExecutors;
  log: { warn(details: object, message: string): void; error(details: object, message: string): void };
  /** ms since the epoch. */
  now?: () => number;
  /** A shadow's document, as its get answers. Left out: a rule that calls get_thing_shadow() is refused. */
  getThingShadow?: (thing: string, shadow: string | undefined) => ObjectValue | undefined;
  accountId?: string;
}

export interface MessageOrigin {
  /** Of the publisher, where it came over MQTT. */
  clientId?: string;
  /** The certificate's id. */
  principalId?: string;
  /** How many rules led to the message; left out: none. */
  hops?: number;
}

export interface RulesEngine {
  /** Takes a rule, in place of one of its name. @throws RuleError with every fault and its place; nothing is changed then */
  load(ruleName: string, topicRulePayload: unknown): void;
  remove(ruleName: string): void;
  list(): { ruleName: string; topicRulePayload: unknown }[];
  /** Starts the actions at once; resolves when the last one ended. Never throws or rejects. */
  onMessage(topic: string, payload: () => Buffer, origin: MessageOrigin): Promise<void>;
}

/** Rules that set off rules: a message so far from its origin goes in a circle. (AWS goes on, and sends the bill.) */
const hopsMax = 8;

export function createRulesEngine(options: RulesEngineOptions): RulesEngine {
  const { log, now = Date.now, accountId = '000000000000' } = options;
  const rules = new Map<string, { rule: TopicRule; topicRulePayload: unknown }>();
  const byFilter = new FilterIndex<TopicRule>();

  function remove(ruleName: string): void {
    const rule = rules.get(ruleName)?.rule;
    rules.delete(ruleName);
    if (rule?.statement.from !== undefined) byFilter.remove(rule.statement.from, rule);
  }

  /** @returns the rules that a message is for, and the topic as they see it. */
  function route(topic: string): { topic: string; matching: TopicRule[] } {
    const ingest = parseBasicIngest(topic);
    if (!ingest) return { topic, matching: [...byFilter.match(topic)].filter(({ disabled }) => !disabled) };
    const rule = rules.get(ingest.rule)?.rule;
    const from = rule?.statement.from;
    if (!rule || rule.disabled) {
      log.warn(
        { topic, ruleName: ingest.rule },
        'A message for a rule that is not there, or disabled, is dropped',
      );
    } else if (from !== undefined && !topicMatches(from, ingest.topic)) {
      log.warn(
        { topic, ruleName: ingest.rule, from },
        "A message for a rule does not match the rule's FROM; it is dropped",
      );
    } else return { topic: ingest.topic, matching: [rule] };
    return { topic: ingest.topic, matching: [] };
  }

  async function onMessage(published: string, payload: () => Buffer, origin: MessageOrigin): Promise<void> {
    const { topic, matching } = route(published);
    if (matching.length === 0) return;
    const { hops = 0 } = origin;
    if (hops >= hopsMax) {
      const ruleNames = matching.map(({ ruleName }) => ruleName);
      log.error(
        { topic, ruleNames },
        `Rules set each other off ${hopsMax} times; the message goes no further`,
      );
      return;
    }
    const { getThingShadow } = options;
    const raw = payload();
    const message: Message = {
      payload: parsePayload(raw),
      raw,
      topic,
      ...(origin.clientId !== undefined && { clientId: origin.clientId }),
      ...(origin.principalId !== undefined && { principal: origin.principalId }),
      traceId: randomUUID(),
      accountId,
      receivedAt: now(),
      newUuid: randomUUID,
      random: Math.random,
      ...(getThingShadow && { getThingShadow }),
    };
    await Promise.all(matching.map((rule) => runRule(rule, message, hops + 1)));
  }

  async function runRule(rule: TopicRule, message: Message, hops: number): Promise<void> {
    const { ruleName } = rule;
    let output: Value | Buffer;
    try {
      const evaluation = evaluateStatement(rule.statement, message);
      if (!evaluation.fires) return;
      output = evaluation.output;
    } catch (error) {
      log.warn({ err: error, ruleName, topic: message.topic }, 'A rule could not be evaluated on a message');
      return;
    }
    const outcomes = await Promise.all(
      rule.actions.map((action) => tryAction(action, output, message, ruleName, hops)),
    );
    const failures = outcomes.filter((outcome) => outcome !== undefined);
    if (failures.length === 0) return;
    log.warn({ ruleName, topic: message.topic, failures }, 'Actions of a rule failed');
    if (!rule.errorAction) return;
    const report = failureReport(ruleName, message, failures);
    const failure = await tryAction(rule.errorAction, report, message, ruleName, hops);
    if (failure)
      log.error({ ruleName, topic: message.topic, failure }, 'The error action of a rule failed too');
  }

  async function tryAction(
    action: Action,
    output: Value | Buffer,
    message: Message,
    ruleName: string,
    hops: number,
  ): Promise<Failure | undefined> {
    let resource = '';
    try {
      const call = planAction(action, output, message);
      resource = resourceOf(call);
      await carryOut(call, ruleName, hops);
      return undefined;
    } catch (error) {
      return {
        failedAction: actionNames[action.kind],
        failedResource: error instanceof ActionError ? error.resource : resource,
        errorMessage: error instanceof Error ? error.message : String(error),
      };
    }
  }

  function carryOut(call: Call, ruleName: string, hops: number): unknown {
    const { executors } = options;
    switch (call.kind) {
      case 'lambda':
        return executors.lambda(call, ruleName, hops);
      case 'republish':
        return executors.republish(call, ruleName, hops);
      case 'dynamoDBv2':
        return executors.dynamoDBv2(call, ruleName, hops);
      case 'sns':
        return executors.sns(call, ruleName, hops);
      case 'sqs':
        return executors.sqs(call, ruleName, hops);
    }
  }

  return {
    load(ruleName, topicRulePayload) {
      const rule = parseTopicRule(ruleName, topicRulePayload, options.getThingShadow !== undefined);
      remove(ruleName);
      rules.set(ruleName, { rule, topicRulePayload });
      if (rule.statement.from !== undefined) byFilter.add(rule.statement.from, rule);
    },
    remove,
    list: () => [...rules].map(([ruleName, { topicRulePayload }]) => ({ ruleName, topicRulePayload })),
    onMessage,
  };
}
