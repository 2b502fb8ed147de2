/** EventBridge's API (JSON 1.1) for rules with a schedule on the default bus; event patterns and other buses are refused by name. */

import * as z from 'zod';
import { parseJson } from '../engines/json-tree.ts';
import { type Handler, operation } from '../https/operation.ts';
import { page } from '../https/page.ts';
import { jsonService, type SignedService } from '../https/signed-service.ts';
import { AwsError, notImplemented } from '../registry/aws-error.ts';
import type { Store } from '../store/store.ts';
import type { EventRuleRecord } from './records.ts';
import { parseSchedule } from './schedule-expression.ts';
import { eventRuleArn, type Scheduler } from './scheduler.ts';

const bytesMax = 1024 * 1024;
const pageSize = 100;
const targetsMax = 5;
const inputCharsMax = 8192;

const Name = z.string().regex(/^[.\-_A-Za-z0-9]{1,64}$/);
const EventBusName = z
  .string()
  .optional()
  .transform((bus) => {
    if (bus !== undefined && bus !== 'default' && !bus.endsWith(':event-bus/default'))
      throw notImplemented(`event bus ${bus}`);
  });
const Tags = z.array(z.strictObject({ Key: z.string(), Value: z.string() })).default([]);

const noRule = (name: string) =>
  new AwsError(400, 'ResourceNotFoundException', `Rule ${name} does not exist on EventBus default.`);
const invalid = (message: string) => new AwsError(400, 'ValidationException', message);

export class EventRules {
  readonly #store: Store;
  readonly #scheduler: Scheduler;

  constructor(store: Store, scheduler: Scheduler) {
    this.#store = store;
    this.#scheduler = scheduler;
  }

  find(name: string): EventRuleRecord | undefined {
    return this.#store.eventRules.get(name);
  }

  /** @throws AwsError */
  get(name: string): EventRuleRecord {
    const record = this.find(name);
    if (!record) throw noRule(name);
    return record;
  }

  all(): EventRuleRecord[] {
    return [...this.#store.eventRules.values()];
  }

  async put(record: EventRuleRecord): Promise<void> {
    await this.#store.eventRules.put(record.name, record);
    this.#scheduler.changed(record.name);
  }

  async remove(name: string): Promise<void> {
    await this.#store.eventRules.remove(name);
    this.#scheduler.changed(name);
  }

  /** Schedules that come with the program; what was put by the API under their name stays. */
  async putBundled(records: readonly Omit<EventRuleRecord, 'bundled'>[]): Promise<void> {
    const brought = new Set(records.map(({ name }) => name));
    for (const { name, bundled } of this.all()) if (bundled && !brought.has(name)) await this.remove(name);
    for (const record of records) {
      const found = this.find(record.name);
      if (found && !found.bundled) continue;
      const createdAtMs = found?.createdAtMs ?? record.createdAtMs;
      await this.put({ ...record, createdAtMs, bundled: true });
    }
  }
}

export function eventsService(rules: EventRules, nowMs: () => number): SignedService {
  const shown = ({ name, scheduleExpression, description, enabled }: EventRuleRecord) => ({
    Name: name,
    Arn: eventRuleArn(name),
    ScheduleExpression: scheduleExpression,
    Description: description,
    State: enabled ? 'ENABLED' : 'DISABLED',
    EventBusName: 'default',
  });
  /** From now on it is the caller's own. */
  const own = ({ bundled: _, ...record }: EventRuleRecord): EventRuleRecord => record;
  const setEnabled = async (name: string, enabled: boolean) => {
    await rules.put({ ...own(rules.get(name)), enabled });
    return {};
  };

  const operations: [string, Handler][] = [
    operation(
      'PutRule',
      {
        Name,
        EventBusName,
        ScheduleExpression: z.string().optional(),
        EventPattern: z.string().optional(),
        State: z.enum(['ENABLED', 'DISABLED']).default('ENABLED'),
        Description: z.string().max(512).optional(),
        RoleArn: z.string().optional(),
        Tags,
      },
      async (input) => {
        if (input.EventPattern !== undefined) throw notImplemented('EventPattern of PutRule');
        const scheduleExpression = input.ScheduleExpression;
        if (scheduleExpression === undefined)
          throw invalid('Parameter ScheduleExpression or EventPattern must be specified.');
        try {
          parseSchedule(scheduleExpression);
        } catch (error) {
          throw invalid(
            `Parameter ScheduleExpression is not valid. ${error instanceof Error ? error.message : error}`,
          );
        }
        const before = rules.find(input.Name);
        const sameTime = before?.scheduleExpression === scheduleExpression;
        await rules.put({
          name: input.Name,
          scheduleExpression,
          ...(input.Description !== undefined && { description: input.Description }),
          enabled: input.State === 'ENABLED',
          targets: before?.targets ?? [],
          tags: before?.tags ?? Object.fromEntries(input.Tags.map(({ Key, Value }) => [Key, Value])),
          createdAtMs: before && sameTime ? before.createdAtMs : nowMs(),
        });
        return { RuleArn: eventRuleArn(input.Name) };
      },
    ),
    operation('DescribeRule', { Name, EventBusName }, (input) => shown(rules.get(input.Name))),
    operation('EnableRule', { Name, EventBusName }, (input) => setEnabled(input.Name, true)),
    operation('DisableRule', { Name, EventBusName }, (input) => setEnabled(input.Name, false)),
    operation('DeleteRule', { Name, EventBusName, Force: z.boolean().optional() }, async (input) => {
      if ((rules.find(input.Name)?.targets.length ?? 0) > 0)
        throw invalid("Rule can't be deleted since it has targets.");
      await rules.remove(input.Name);
      return {};
    }),
    operation(
      'ListRules',
      {
        NamePrefix: z.string().default(''),
        EventBusName,
        NextToken: z.string().optional(),
        Limit: z.number().int().min(1).max(pageSize).default(pageSize),
      },
      (input) => {
        const fitting = rules.all().filter(({ name }) => name.startsWith(input.NamePrefix));
        const { items, next } = page('ListRules', fitting, ({ name }) => name, {
          token: input.NextToken,
          size: input.Limit,
        });
        return { Rules: items.map(shown), NextToken: next };
      },
    ),
    operation(
      'PutTargets',
      {
        Rule: Name,
        EventBusName,
        Targets: z
          .array(
            z.strictObject({
              Id: Name,
              Arn: z
                .string()
                .regex(/^arn:[a-z-]+:(lambda|sns|sqs):/, 'the local cloud has lambda, sns and sqs'),
              Input: z.string().max(inputCharsMax).optional(),
              RoleArn: z.string().optional(),
            }),
          )
          .min(1)
          .max(targetsMax),
      },
      async (input) => {
        const record = rules.get(input.Rule);
        const added = input.Targets.map(({ Id, Arn, Input }) => {
          if (Input !== undefined && !isJson(Input)) throw invalid(`Invalid JSON in Input of target ${Id}.`);
          return { id: Id, arn: Arn, ...(Input !== undefined && { input: Input }) };
        });
        const kept = record.targets.filter(({ id }) => !added.some((each) => each.id === id));
        if (kept.length + added.length > targetsMax)
          throw new AwsError(400, 'LimitExceededException', `A rule has at most ${targetsMax} targets.`);
        await rules.put({ ...own(record), targets: [...kept, ...added] });
        return { FailedEntryCount: 0, FailedEntries: [] };
      },
    ),
    operation(
      'ListTargetsByRule',
      { Rule: Name, EventBusName, NextToken: z.string().optional() },
      (input) => ({
        Targets: rules
          .get(input.Rule)
          .targets.map(({ id, arn, input: Input }) => ({ Id: id, Arn: arn, Input })),
      }),
    ),
    operation(
      'RemoveTargets',
      { Rule: Name, EventBusName, Ids: z.array(z.string()), Force: z.boolean().optional() },
      async (input) => {
        const record = rules.get(input.Rule);
        const targets = record.targets.filter(({ id }) => !input.Ids.includes(id));
        await rules.put({ ...own(record), targets });
        return { FailedEntryCount: 0, FailedEntries: [] };
      },
    ),
    operation('ListTagsForResource', { ResourceARN: z.string() }, (input) => ({
      Tags: Object.entries(rules.get(input.ResourceARN.split('/').at(-1) ?? '').tags).map(([Key, Value]) => ({
        Key,
        Value,
      })),
    })),
  ];
  return jsonService({
    target: 'AWSEvents',
    version: '1.1',
    invalidType: 'ValidationException',
    bytesMax,
    operations: new Map(operations),
  });
}

function isJson(text: string): boolean {
  try {
    parseJson(text);
    return true;
  } catch {
    return false;
  }
}
