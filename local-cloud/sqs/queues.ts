/**
 * Queues: a message is on disk before it is acknowledged and until it is deleted. Who has received what is in memory:
 * after a restart everything can be received again, as SQS allows (at least once).
 */

import { randomUUID } from 'node:crypto';
import { accountId, region } from '../registry/arns.ts';
import { AwsError } from '../registry/aws-error.ts';
import { pairKey, pairOf, type Store } from '../store/store.ts';
import type { MessageAttribute, QueueMessageRecord, QueueRecord } from './records.ts';

/** SQS keeps as many in flight. */
const inFlightMax = 120_000;
/** Of one queue; SQS itself has no bound. */
const messagesMax = 200_000;
const sequenceDigits = 16;

export interface OutgoingMessage {
  body: string;
  attributes?: Record<string, MessageAttribute>;
  delaySeconds?: number;
}

export interface ReceivedMessage extends QueueMessageRecord {
  receiptHandle: string;
  receiveCount: number;
  firstReceivedAtMs: number;
}

/** Where a message stands: its place on disk, and who has it. */
interface Entry {
  key: string;
  sentAtMs: number;
  visibleAtMs: number;
  receiveCount: number;
  firstReceivedAtMs: number;
  receipt?: string;
}

interface Queue {
  record: QueueRecord;
  /** In the order of sending. */
  entries: Map<string, Entry>;
  /** Of receivers that wait. */
  waiting: Set<() => void>;
}

export const queueArn = (name: string) => `arn:aws:sqs:${region}:${accountId}:${name}`;

const noQueue = (name: string) =>
  new AwsError(400, 'QueueDoesNotExist', `The specified queue does not exist: ${name}`);

export class Queues {
  readonly #store: Store;
  readonly #nowMs: () => number;
  readonly #queues = new Map<string, Queue>();
  #lastSequence = 0;

  constructor(store: Store, nowMs: () => number) {
    this.#store = store;
    this.#nowMs = nowMs;
    for (const [name, record] of store.queues.entries()) {
      this.#queues.set(name, { record, entries: new Map(), waiting: new Set() });
    }
    for (const [key, { sentAtMs, visibleAtMs }] of store.queueMessages.entries()) {
      const [name, sequence] = pairOf(key);
      this.#lastSequence = Math.max(this.#lastSequence, Number(sequence));
      const entry = { key, sentAtMs, visibleAtMs, receiveCount: 0, firstReceivedAtMs: 0 };
      this.#queues.get(name)?.entries.set(key, entry);
    }
  }

  names(): string[] {
    return [...this.#queues.keys()];
  }

  find(name: string): QueueRecord | undefined {
    return this.#queues.get(name)?.record;
  }

  /** @throws AwsError */
  get(name: string): QueueRecord {
    return this.#queue(name).record;
  }

  #queue(name: string): Queue {
    const queue = this.#queues.get(name);
    if (!queue) throw noQueue(name);
    return queue;
  }

  async create(
    name: string,
    attributes: Record<string, string>,
    tags: Record<string, string>,
  ): Promise<void> {
    const now = this.#nowMs();
    const record = { name, attributes, tags, createdAtMs: now, modifiedAtMs: now };
    await this.#store.queues.put(name, record);
    this.#queues.set(name, { record, entries: new Map(), waiting: new Set() });
  }

  async update(name: string, change: Partial<Pick<QueueRecord, 'attributes' | 'tags'>>): Promise<void> {
    const queue = this.#queue(name);
    const record = { ...queue.record, ...change, modifiedAtMs: this.#nowMs() };
    await this.#store.queues.put(name, record);
    queue.record = record;
  }

  async remove(name: string): Promise<void> {
    const { entries } = this.#queue(name);
    await this.#store.transact(() => {
      this.#store.queues.unset(name);
      for (const key of entries.keys()) this.#store.queueMessages.unset(key);
    });
    this.#queues.delete(name);
  }

  async purge(name: string): Promise<void> {
    const { entries } = this.#queue(name);
    const keys = [...entries.keys()];
    await this.#store.transact(() => {
      for (const key of keys) this.#store.queueMessages.unset(key);
    });
    for (const key of keys) entries.delete(key);
  }

  /** Resolves when the message is on disk. @throws AwsError */
  async send(name: string, message: OutgoingMessage): Promise<string> {
    const queue = this.#queue(name);
    const { body, attributes = {} } = message;
    const bytesMax = this.#setting(queue, 'MaximumMessageSize', 1_048_576);
    const bytes = Buffer.byteLength(body);
    if (bytes === 0)
      throw new AwsError(400, 'MissingParameter', 'The request must contain the parameter MessageBody.');
    if (bytes > bytesMax) {
      throw new AwsError(
        400,
        'InvalidParameterValue',
        `One or more parameters are invalid. Reason: Message must be shorter than ${bytesMax} bytes.`,
      );
    }
    if (queue.entries.size >= messagesMax)
      throw new AwsError(
        400,
        'OverLimit',
        `The queue ${name} holds ${messagesMax} messages: nobody takes them away`,
      );
    const sentAtMs = this.#nowMs();
    const delayMs = (message.delaySeconds ?? this.#setting(queue, 'DelaySeconds', 0)) * 1000;
    const key = pairKey(name, String(++this.#lastSequence).padStart(sequenceDigits, '0'));
    const messageId = randomUUID();
    const visibleAtMs = sentAtMs + delayMs;
    await this.#store.queueMessages.put(key, { messageId, body, attributes, sentAtMs, visibleAtMs });
    queue.entries.set(key, { key, sentAtMs, visibleAtMs, receiveCount: 0, firstReceivedAtMs: 0 });
    for (const wake of queue.waiting) wake();
    return messageId;
  }

  /** Waits for a first message up to `waitSeconds`, or until `signal` is aborted. */
  async receive(
    name: string,
    options: { max: number; visibilitySeconds?: number; waitSeconds?: number; signal?: AbortSignal },
  ): Promise<ReceivedMessage[]> {
    const queue = this.#queue(name);
    const waitSeconds = options.waitSeconds ?? this.#setting(queue, 'ReceiveMessageWaitTimeSeconds', 0);
    const visibilityMs = (options.visibilitySeconds ?? this.#setting(queue, 'VisibilityTimeout', 30)) * 1000;
    const deadline = this.#nowMs() + waitSeconds * 1000;
    for (;;) {
      const taken = await this.#take(queue, options.max, visibilityMs);
      const leftMs = deadline - this.#nowMs();
      if (taken.length > 0 || leftMs <= 0 || options.signal?.aborted || !this.#queues.has(name)) return taken;
      await this.#nextChange(queue, leftMs, options.signal);
    }
  }

  async #take(queue: Queue, max: number, visibilityMs: number): Promise<ReceivedMessage[]> {
    await this.#dropOld(queue);
    const now = this.#nowMs();
    const redrive = redriveOf(queue.record);
    const taken: ReceivedMessage[] = [];
    for (const entry of [...queue.entries.values()]) {
      if (taken.length >= max) break;
      if (entry.visibleAtMs > now) continue;
      if (
        redrive &&
        entry.receiveCount >= redrive.receivesMax &&
        (await this.#redrive(queue, entry, redrive.queue))
      )
        continue;
      const message = this.#store.queueMessages.get(entry.key);
      if (!message) continue;
      entry.visibleAtMs = now + visibilityMs;
      entry.receiveCount++;
      if (entry.receiveCount === 1) entry.firstReceivedAtMs = now;
      entry.receipt = `${entry.key.slice(-sequenceDigits)}-${randomUUID()}`;
      const { receiveCount, firstReceivedAtMs, receipt } = entry;
      taken.push({ ...message, receiptHandle: receipt, receiveCount, firstReceivedAtMs });
    }
    return taken;
  }

  /** To the dead-letter queue, in one step. @returns false where there is none (any more) */
  async #redrive(queue: Queue, entry: Entry, to: string): Promise<boolean> {
    const target = this.#queues.get(to);
    const message = this.#store.queueMessages.get(entry.key);
    if (!target || !message) return false;
    const now = this.#nowMs();
    const key = pairKey(to, String(++this.#lastSequence).padStart(sequenceDigits, '0'));
    queue.entries.delete(entry.key);
    await this.#store.transact(() => {
      this.#store.queueMessages.unset(entry.key);
      this.#store.queueMessages.set(key, { ...message, visibleAtMs: now });
    });
    const { sentAtMs } = message;
    target.entries.set(key, { key, sentAtMs, visibleAtMs: now, receiveCount: 0, firstReceivedAtMs: 0 });
    return true;
  }

  async #dropOld(queue: Queue): Promise<void> {
    const oldest = this.#nowMs() - this.#setting(queue, 'MessageRetentionPeriod', 345_600) * 1000;
    const old = [...queue.entries.values()].filter(({ sentAtMs }) => sentAtMs < oldest).map(({ key }) => key);
    if (old.length === 0) return;
    for (const key of old) queue.entries.delete(key);
    await this.#store.transact(() => {
      for (const key of old) this.#store.queueMessages.unset(key);
    });
  }

  /** A message comes, becomes visible, or the time is over. */
  #nextChange(queue: Queue, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    const now = this.#nowMs();
    let delayMs = waitMs;
    for (const { visibleAtMs } of queue.entries.values()) delayMs = Math.min(delayMs, visibleAtMs - now);
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        queue.waiting.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(1, delayMs));
      timer.unref();
      queue.waiting.add(done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  /** @returns false where the receipt is an old one, or the message is gone: then SQS, too, says nothing */
  async delete(name: string, receipt: string): Promise<boolean> {
    const queue = this.#queue(name);
    const entry = this.#byReceipt(queue, name, receipt);
    if (!entry) return false;
    await this.#store.queueMessages.remove(entry.key);
    queue.entries.delete(entry.key);
    return true;
  }

  /** @throws AwsError where the message is not in flight */
  changeVisibility(name: string, receipt: string, seconds: number): void {
    const queue = this.#queue(name);
    const entry = this.#byReceipt(queue, name, receipt);
    if (!entry || entry.visibleAtMs <= this.#nowMs())
      throw new AwsError(400, 'MessageNotInflight', 'The specified message isn’t in flight.');
    entry.visibleAtMs = this.#nowMs() + seconds * 1000;
    for (const wake of queue.waiting) wake();
  }

  #byReceipt(queue: Queue, name: string, receipt: string): Entry | undefined {
    const sequence = /^(\d{16})-[0-9a-f-]{36}$/.exec(receipt)?.[1];
    if (sequence === undefined)
      throw new AwsError(
        400,
        'ReceiptHandleIsInvalid',
        `The input receipt handle "${receipt.slice(0, 80)}" is not valid.`,
      );
    const entry = queue.entries.get(pairKey(name, sequence));
    return entry?.receipt === receipt ? entry : undefined;
  }

  counts(name: string): { visible: number; inFlight: number; delayed: number } {
    const now = this.#nowMs();
    const counts = { visible: 0, inFlight: 0, delayed: 0 };
    for (const { visibleAtMs, receiveCount } of this.#queue(name).entries.values()) {
      if (visibleAtMs <= now) counts.visible++;
      else if (receiveCount > 0) counts.inFlight = Math.min(inFlightMax, counts.inFlight + 1);
      else counts.delayed++;
    }
    return counts;
  }

  /** Ends those that wait. */
  close(): void {
    for (const { waiting } of this.#queues.values()) for (const wake of waiting) wake();
  }

  #setting({ record }: Queue, name: string, otherwise: number): number {
    return Number(record.attributes[name] ?? otherwise);
  }
}

function redriveOf({ attributes }: QueueRecord): { queue: string; receivesMax: number } | undefined {
  if (attributes.RedrivePolicy === undefined) return undefined;
  const { deadLetterTargetArn, maxReceiveCount } = JSON.parse(attributes.RedrivePolicy) as {
    deadLetterTargetArn: string;
    maxReceiveCount: number | string;
  };
  return { queue: deadLetterTargetArn.split(':').at(-1) ?? '', receivesMax: Number(maxReceiveCount) };
}
