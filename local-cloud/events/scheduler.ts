/** Sets off schedules when their time has come. What would have been due while the cloud was down is not made up for. */

import { randomUUID } from 'node:crypto';
import { accountId, region } from '../registry/arns.ts';
import type { Store } from '../store/store.ts';
import type { EventRuleRecord, TargetRecord } from './records.ts';
import { nextTime, parseSchedule } from './schedule-expression.ts';

/** Between two looks at the clock, so that one that jumps is noticed. */
const lookMsMax = 30_000;
/** A clock that steps back further than this was set. */
const setBackMs = 2_000;

export interface SchedulerOptions {
  store: Store;
  nowMs: () => number;
  /** Hands an event on. @throws where it is not taken */
  send(target: TargetRecord, event: unknown, ruleArn: string): Promise<unknown>;
  log: { warn(details: object, message: string): void; error(details: object, message: string): void };
}

export const eventRuleArn = (name: string) => `arn:aws:events:${region}:${accountId}:rule/${name}`;

export class Scheduler {
  readonly #options: SchedulerOptions;
  /** When each enabled rule is due next. */
  readonly #due = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #lastLookMs = 0;
  #running = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = true;
    this.#lastLookMs = this.#options.nowMs();
    for (const record of this.#options.store.eventRules.values()) this.#plan(record);
    this.#wait();
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
  }

  /** After a rule was put or removed. */
  changed(name: string): void {
    this.#due.delete(name);
    const record = this.#options.store.eventRules.get(name);
    if (record) this.#plan(record);
    if (this.#running) this.#wait();
  }

  #plan(record: EventRuleRecord): void {
    if (!record.enabled) return;
    try {
      const due = nextTime(
        parseSchedule(record.scheduleExpression),
        record.createdAtMs,
        this.#options.nowMs(),
      );
      if (due !== undefined) this.#due.set(record.name, due);
    } catch (error) {
      this.#options.log.error(
        { err: error, schedule: record.name },
        'A stored schedule is not taken any more',
      );
    }
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const now = this.#options.nowMs();
    let delayMs = lookMsMax;
    for (const due of this.#due.values()) delayMs = Math.min(delayMs, due - now);
    this.#timer = setTimeout(() => this.#look(), Math.max(1, delayMs));
  }

  #look(): void {
    const { nowMs, store, log } = this.#options;
    const now = nowMs();
    if (now < this.#lastLookMs - setBackMs) {
      log.warn(
        { fromMs: this.#lastLookMs, toMs: now },
        'The clock was set back: schedules are planned anew from the new time',
      );
      this.#due.clear();
      for (const record of store.eventRules.values()) this.#plan(record);
    }
    this.#lastLookMs = now;
    for (const [name, due] of [...this.#due]) {
      if (due > now) continue;
      const record = store.eventRules.get(name);
      this.#due.delete(name);
      if (!record) continue;
      this.#plan(record);
      this.#fire(record, due);
    }
    if (this.#running) this.#wait();
  }

  #fire(record: EventRuleRecord, dueMs: number): void {
    const ruleArn = eventRuleArn(record.name);
    const event = {
      version: '0',
      id: randomUUID(),
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
      account: accountId,
      time: new Date(dueMs).toISOString().replace(/\.\d+Z$/, 'Z'),
      region,
      resources: [ruleArn],
      detail: {},
    };
    for (const target of record.targets) {
      const input: unknown = target.input === undefined ? event : JSON.parse(target.input);
      this.#options
        .send(target, input, ruleArn)
        .catch((error: unknown) =>
          this.#options.log.error(
            { err: error, schedule: record.name, target: target.arn },
            'A schedule could not set off its target',
          ),
        );
    }
  }
}
