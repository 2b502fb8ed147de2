/**
 * The rules engine: each message that a rule's FROM matches and its WHERE lets pass goes, as its SELECT shapes it,
 * to the rule's actions; where one fails, to its error action. Rules start in the order of the messages.
 *
 * A message that was acknowledged is in the inbox, on disk, until every action was taken over: by a function's queue, a topic, a
 * queue, a table, the broker. So a rule acts at least once, across `kill -9`.
 */
import { randomUUID } from 'node:crypto';
import { asking } from '../engines/sql/answers.ts';
import { evaluateStatement } from '../engines/sql/evaluate.ts';
import {
  type Message,
  type MessageProperties,
  type Question,
  type RegistryApi,
  readPayload,
} from '../engines/sql/message.ts';
import type { ObjectValue, Value } from '../engines/sql/values.ts';
import { FilterIndex, parseBasicIngest, topicMatches } from '../engines/topic-filter.ts';
import { type Action, actionNames } from './actions.ts';
import { type Failure, failureReport } from './failure.ts';
import type { RulesInbox } from './inbox.ts';
import { ActionError, type Call, planAction, resourceOf } from './plan-action.ts';
import type { InboxRecord } from './records.ts';
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
  /** Left out: no message outlives this process. */
  inbox?: RulesInbox;
  /** Left out: a rule that calls other services in its SQL is refused. */
  services?: SqlServices;
  accountId?: string;
}

/** What functions of the SQL reach. */
export interface SqlServices {
  /** A shadow's document, as its get answers. */
  getThingShadow(thing: string, shadow: string | undefined): ObjectValue | undefined;
  getRegistryData(api: RegistryApi, thing: string): Value;
  /** @throws where the service refuses: the function is Undefined then */
  answer(question: Question, ruleName: string): Promise<Value>;
}

export interface MessageOrigin {
  /** Of the publisher, where it came over MQTT. */
  clientId?: string;
  /** The certificate's id. */
  principalId?: string;
  /** The publisher's address. */
  ipAddress?: string;
  properties?: MessageProperties;
  /** How many rules led to the message; left out: none. */
  hops?: number;
}

/** A message that rules act on. */
export interface Taken {
  /** Why it can't be taken now, as the publisher has to be told; nothing of it goes to disk, and `run` does nothing. */
  refused?: Error;
  /** When the message is on disk; left out where that is not asked for. */
  noted?: Promise<void>;
  /** Starts the actions at once; resolves when the last one was taken over, or failed. Never throws or rejects. */
  run(): Promise<void>;
}

export interface RulesEngine {
  /** Takes a rule, in place of one of its name. @throws RuleError with every fault and its place; nothing is changed then */
  load(ruleName: string, topicRulePayload: unknown): void;
  remove(ruleName: string): void;
  list(): { ruleName: string; topicRulePayload: unknown }[];
  /**
   * Looks which rules a message sets off, and does nothing yet.
   * @param isAcknowledged whether the publisher is told that the message was taken
   * @returns undefined where there are none
   */
  take(
    topic: string,
    payload: () => Buffer,
    origin: MessageOrigin,
    isAcknowledged: boolean,
  ): Taken | undefined;
  /** Goes on with the messages that an earlier run left in the inbox. To be called once the rules are loaded and actions can be done. */
  resume(): Promise<void>;
  /** To be called before what actions need ends: what fails from then on is done by the next run. */
  stop(): void;
}

/** Rules that set off rules: a message so far from its origin goes in a circle. (AWS goes on, and sends the bill.) */
const hopsMax = 8;
/** Messages whose actions are under way; more that ask for an acknowledgement are refused, so that memory stays bounded. */
const underWayMax = 10_000;
/** Runs of this program that began with a message; one that ended each of them is the message's fault. */
const runsMax = 3;

/** A rule that a message sets off; one that asks others is not evaluated before it runs. */
type Firing = { rule: TopicRule } & (
  | { isEvaluated: true; output: Value | Buffer }
  | { isEvaluated?: never; output?: never }
);

/** Evaluates something of a rule on its message, at once where no service has to be asked. */
type Evaluator = <T>(evaluate: (message: Message) => T) => T | Promise<T>;

export function createRulesEngine(options: RulesEngineOptions): RulesEngine {
  const { log, now = Date.now, accountId = '000000000000' } = options;
  const rules = new Map<string, { rule: TopicRule; topicRulePayload: unknown }>();
  const byFilter = new FilterIndex<TopicRule>();
  let underWay = 0;
  let isStopped = false;

  function remove(ruleName: string): void {
    const rule = rules.get(ruleName)?.rule;
    rules.delete(ruleName);
    if (rule?.statement.from !== undefined) byFilter.remove(rule.statement.from, rule);
  }

  /** @returns the rules that a message is for, and the topic as they see it. */
  function route(topic: string): { topic: string; matching: TopicRule[] } {
    const ingest = parseBasicIngest(topic);
    if (!ingest) return { topic, matching: byFilter.match(topic).filter(({ disabled }) => !disabled) };
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

  function take(
    published: string,
    payload: () => Buffer,
    origin: MessageOrigin,
    isAcknowledged: boolean,
  ): Taken | undefined {
    const { topic, matching } = route(published);
    if (matching.length === 0) return undefined;
    const { hops = 0 } = origin;
    if (hops >= hopsMax) {
      const ruleNames = matching.map(({ ruleName }) => ruleName);
      log.error(
        { topic, ruleNames },
        `Rules set each other off ${hopsMax} times; the message goes no further`,
      );
      return undefined;
    }
    const record: InboxRecord = {
      topic,
      ...(origin.clientId !== undefined && { clientId: origin.clientId }),
      ...(origin.principalId !== undefined && { principal: origin.principalId }),
      ...(origin.ipAddress !== undefined && { sourceIp: origin.ipAddress }),
      ...(origin.properties !== undefined && { properties: origin.properties }),
      traceId: randomUUID(),
      receivedAt: now(),
      rules: [],
      hops: hops + 1,
      runs: 0,
    };
    const raw = payload();
    const message = messageOf(record, raw);
    const firing = matching.flatMap((rule) => judge(rule, message) ?? []);
    if (firing.length === 0) return undefined;
    const { inbox } = options;
    if (!inbox || !isAcknowledged) return { run: async () => void (await run(firing, message, record.hops)) };
    if (underWay >= underWayMax) {
      const why = `The rules are behind: actions of ${underWayMax} messages are under way`;
      return { refused: new Error(why), run: async () => undefined };
    }
    record.rules = firing.map(({ rule }) => rule.ruleName);
    const noted = inbox.add(record, raw);
    return { noted: noted.stored, run: () => runNoted(firing, message, record.hops, noted.id) };
  }

  function messageOf({ rules: _, hops: __, runs: ___, ...given }: InboxRecord, raw: Buffer): Message {
    return {
      ...given,
      ...readPayload(raw),
      raw,
      accountId,
      newUuid: randomUUID,
      random: Math.random,
      ...(options.services && {
        getThingShadow: options.services.getThingShadow,
        getRegistryData: options.services.getRegistryData,
      }),
    };
  }

  /** Evaluates a rule, if that can be done now. @returns undefined where it does not fire */
  function judge(rule: TopicRule, message: Message): Firing | undefined {
    // What it asks others may change until the message is on disk.
    if (rule.asksOthers) return { rule };
    try {
      const evaluation = evaluateStatement(rule.statement, message);
      return evaluation.fires ? { rule, output: evaluation.output, isEvaluated: true } : undefined;
    } catch (error) {
      const { ruleName } = rule;
      log.warn({ err: error, ruleName, topic: message.topic }, 'A rule could not be evaluated on a message');
      return undefined;
    }
  }

  /** @returns whether nothing is left to be done */
  async function run(firing: readonly Firing[], message: Message, hops: number): Promise<boolean> {
    const done = await Promise.all(firing.map((each) => runRule(each, message, hops)));
    return done.every((each) => each);
  }

  async function runNoted(
    firing: readonly Firing[],
    message: Message,
    hops: number,
    id: string,
  ): Promise<void> {
    underWay++;
    const isDone = await run(firing, message, hops);
    underWay--;
    if (isDone) options.inbox?.remove(id);
  }

  async function resume(): Promise<void> {
    for (const { id, record, payload } of options.inbox?.all() ?? []) {
      const { topic, runs, hops } = record;
      if (runs >= runsMax) {
        log.error(
          { topic, rules: record.rules },
          `Its rules ended this program ${runsMax} times; the message is dropped`,
        );
        options.inbox?.remove(id);
        continue;
      }
      await options.inbox?.noteRun(id, runs + 1);
      const message = messageOf(record, payload);
      const firing = record.rules.flatMap((name) => {
        const rule = rules.get(name)?.rule;
        return rule && !rule.disabled ? (judge(rule, message) ?? []) : [];
      });
      void runNoted(firing, message, hops, id);
    }
  }

  function evaluator({ ruleName, asksOthers }: TopicRule, message: Message): Evaluator {
    const { services } = options;
    if (!asksOthers || !services) return (evaluate) => evaluate(message);
    return asking(message, async (question) => {
      try {
        return await services.answer(question, ruleName);
      } catch (error) {
        const { topic } = message;
        log.warn(
          { err: error, ruleName, topic, call: question.call },
          'A rule got no answer from a service; the function is Undefined',
        );
        return undefined;
      }
    });
  }

  /** @returns false where an action failed because the program ends */
  async function runRule(firing: Firing, message: Message, hops: number): Promise<boolean> {
    const { rule } = firing;
    const { ruleName } = rule;
    let { output } = firing;
    const evaluate = evaluator(rule, message);
    if (!firing.isEvaluated) {
      try {
        const evaluation = await evaluate((asked) => evaluateStatement(rule.statement, asked));
        if (!evaluation.fires) return true;
        output = evaluation.output;
      } catch (error) {
        log.warn(
          { err: error, ruleName, topic: message.topic },
          'A rule could not be evaluated on a message',
        );
        return true;
      }
    }
    const outcomes = await Promise.all(
      rule.actions.map((action) => tryAction(action, output, evaluate, ruleName, hops)),
    );
    const failures = outcomes.filter((outcome) => outcome !== undefined);
    if (failures.length === 0) return true;
    if (isStopped) return false;
    log.warn({ ruleName, topic: message.topic, failures }, 'Actions of a rule failed');
    if (!rule.errorAction) return true;
    const report = failureReport(ruleName, message, failures);
    const failure = await tryAction(rule.errorAction, report, evaluate, ruleName, hops);
    if (failure && isStopped) return false;
    if (failure)
      log.error({ ruleName, topic: message.topic, failure }, 'The error action of a rule failed too');
    return true;
  }

  async function tryAction(
    action: Action,
    output: Value | Buffer,
    evaluate: Evaluator,
    ruleName: string,
    hops: number,
  ): Promise<Failure | undefined> {
    let resource = '';
    try {
      const planned = evaluate((message) => planAction(action, output, message));
      const call = planned instanceof Promise ? await planned : planned;
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
      const rule = parseTopicRule(ruleName, topicRulePayload, options.services !== undefined);
      remove(ruleName);
      rules.set(ruleName, { rule, topicRulePayload });
      if (rule.statement.from !== undefined) byFilter.add(rule.statement.from, rule);
    },
    remove,
    list: () => [...rules].map(([ruleName, { topicRulePayload }]) => ({ ruleName, topicRulePayload })),
    take,
    resume,
    stop() {
      isStopped = true;
    },
  };
}
