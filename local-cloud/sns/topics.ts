/**
 * Topics and subscriptions. What is published is on disk, one delivery a subscription, before it is acknowledged; a
 * delivery goes from the disk when it was taken, or when its last try failed.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import { accountId, region } from '../registry/arns.ts';
import { AwsError } from '../registry/aws-error.ts';
import type { MessageAttribute } from '../sqs/records.ts';
import type { Store } from '../store/store.ts';
import type { DeliveryRecord, Notification, Protocol, SubscriptionRecord, TopicRecord } from './records.ts';

/** As SNS does for HTTP: three more tries, 20 s apart. */
const retriesMax = 3;
const retryMs = 20_000;
const deliveriesMax = 10_000;
const messageBytesMax = 262_144;
const unconfirmed = new Set<Protocol>(['http', 'https']);

export interface TopicsOptions {
  store: Store;
  nowMs: () => number;
  /** @throws where it was not taken */
  deliver(subscription: SubscriptionRecord, notification: Notification): Promise<void>;
  log: { warn(details: object, message: string): void; error(details: object, message: string): void };
  retryMs?: number;
}

export interface Publication {
  message: string;
  subject?: string;
  /** The message is JSON with a text for each protocol, and `default`. */
  structure?: 'json';
  attributes?: Record<string, MessageAttribute>;
}

export const topicArn = (name: string) => `arn:aws:sns:${region}:${accountId}:${name}`;

export const notFound = (what: string) => new AwsError(404, 'NotFound', `${what} does not exist`);
const invalid = (message: string) => new AwsError(400, 'InvalidParameter', `Invalid parameter: ${message}`);

export class Topics {
  readonly #options: TopicsOptions;
  readonly #store: Store;
  /** Deliveries that wait or are under way, each with the timer of its next try. */
  readonly #pending = new Map<string, NodeJS.Timeout>();
  #closed = false;
  #lastDelivery = 0;

  constructor(options: TopicsOptions) {
    this.#options = options;
    this.#store = options.store;
  }

  /** Goes on with what an earlier run left. */
  start(): void {
    for (const [key, delivery] of this.#store.deliveries.entries()) {
      this.#lastDelivery = Math.max(this.#lastDelivery, Number(key));
      this.#plan(key, delivery);
    }
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
  }

  find(arn: string): TopicRecord | undefined {
    return this.#store.topics.get(arn);
  }

  /** @throws AwsError */
  get(arn: string): TopicRecord {
    const record = this.find(arn);
    if (!record) throw notFound('Topic');
    return record;
  }

  all(): TopicRecord[] {
    return [...this.#store.topics.values()];
  }

  async put(record: TopicRecord): Promise<void> {
    await this.#store.topics.put(record.topicArn, record);
  }

  async remove(arn: string): Promise<void> {
    const subscriptions = this.subscriptionsOf(arn);
    await this.#store.transact(() => {
      this.#store.topics.unset(arn);
      for (const { subscriptionArn } of subscriptions) this.#store.subscriptions.unset(subscriptionArn);
    });
  }

  subscriptions(): SubscriptionRecord[] {
    return [...this.#store.subscriptions.values()];
  }

  subscriptionsOf(arn: string): SubscriptionRecord[] {
    return this.subscriptions().filter((each) => each.topicArn === arn);
  }

  subscription(arn: string): SubscriptionRecord {
    const record = this.#store.subscriptions.get(arn);
    if (!record) throw notFound('Subscription');
    return record;
  }

  /** One that is there is given back. An http(s) endpoint gets a message with the token that confirms it. */
  async subscribe(
    topic: string,
    { protocol, endpoint, raw }: { protocol: Protocol; endpoint: string; raw: boolean },
  ): Promise<SubscriptionRecord> {
    this.get(topic);
    const found = this.subscriptionsOf(topic).find(
      (each) => each.protocol === protocol && each.endpoint === endpoint,
    );
    if (found && found.pendingToken === undefined) return found;
    const record: SubscriptionRecord = {
      subscriptionArn: found?.subscriptionArn ?? `${topic}:${randomUUID()}`,
      topicArn: topic,
      protocol,
      endpoint,
      raw,
      ...(unconfirmed.has(protocol) && {
        pendingToken: found?.pendingToken ?? randomBytes(32).toString('hex'),
      }),
    };
    await this.#store.subscriptions.put(record.subscriptionArn, record);
    if (record.pendingToken !== undefined) {
      const notification: Notification = {
        type: 'SubscriptionConfirmation',
        messageId: randomUUID(),
        topicArn: topic,
        message: `You have chosen to subscribe to the topic ${topic}.\nTo confirm the subscription, visit the SubscribeURL included in this message.`,
        attributes: {},
        atMs: this.#options.nowMs(),
        token: record.pendingToken,
      };
      await this.#send([{ subscription: record, notification }]);
    }
    return record;
  }

  /** @throws AwsError where no subscription waits for this token */
  async confirm(topic: string, token: string): Promise<SubscriptionRecord> {
    const record = this.subscriptionsOf(topic).find(({ pendingToken }) => pendingToken === token);
    if (!record) throw invalid('Token');
    const { pendingToken: _, ...confirmed } = record;
    await this.#store.subscriptions.put(record.subscriptionArn, confirmed);
    return confirmed;
  }

  async putSubscription(record: SubscriptionRecord): Promise<void> {
    await this.#store.subscriptions.put(record.subscriptionArn, record);
  }

  async unsubscribe(arn: string): Promise<void> {
    await this.#store.subscriptions.remove(arn);
  }

  /** Resolves when every delivery is on disk. @returns the message's id. @throws AwsError */
  async publish(
    topic: string,
    { message, subject, structure, attributes = {} }: Publication,
  ): Promise<string> {
    this.get(topic);
    if (message === '') throw invalid('Empty message');
    if (Buffer.byteLength(message) > messageBytesMax) throw invalid('Message too long');
    if (subject !== undefined && !/^[^\p{Cc}]{1,100}$/u.test(subject)) throw invalid('Subject');
    const texts = structure === 'json' ? textsOf(message) : { default: message };
    const messageId = randomUUID();
    const atMs = this.#options.nowMs();
    const confirmed = this.subscriptionsOf(topic).filter(({ pendingToken }) => pendingToken === undefined);
    await this.#send(
      confirmed.map((subscription) => ({
        subscription,
        notification: {
          type: 'Notification',
          messageId,
          topicArn: topic,
          message: texts[subscription.protocol] ?? texts.default ?? '',
          ...(subject !== undefined && { subject }),
          attributes,
          atMs,
        },
      })),
    );
    return messageId;
  }

  async #send(outgoing: { subscription: SubscriptionRecord; notification: Notification }[]): Promise<void> {
    if (outgoing.length === 0) return;
    if (this.#pending.size + outgoing.length > deliveriesMax) {
      throw new AwsError(
        429,
        'Throttled',
        `${deliveriesMax} deliveries wait already: endpoints do not take what is published`,
      );
    }
    const dueAtMs = this.#options.nowMs();
    const deliveries = outgoing.map(({ subscription, notification }): [string, DeliveryRecord] => [
      String(++this.#lastDelivery).padStart(16, '0'),
      { subscriptionArn: subscription.subscriptionArn, notification, attempts: 0, dueAtMs },
    ]);
    await this.#store.transact(() => {
      for (const [key, delivery] of deliveries) this.#store.deliveries.set(key, delivery);
    });
    for (const [key, delivery] of deliveries) this.#plan(key, delivery);
  }

  #plan(key: string, delivery: DeliveryRecord): void {
    if (this.#closed) return;
    const delayMs = Math.min(retryMs, Math.max(0, delivery.dueAtMs - this.#options.nowMs()));
    this.#pending.set(
      key,
      setTimeout(() => void this.#attempt(key, delivery), delayMs),
    );
  }

  async #attempt(key: string, delivery: DeliveryRecord): Promise<void> {
    const { store, log, nowMs } = this.#options;
    const subscription = store.subscriptions.get(delivery.subscriptionArn);
    const attempts = delivery.attempts + 1;
    const details = { subscriptionArn: delivery.subscriptionArn, endpoint: subscription?.endpoint, attempts };
    try {
      if (subscription) await this.#options.deliver(subscription, delivery.notification);
    } catch (error) {
      if (this.#closed) return;
      const why = error instanceof Error ? error.message : String(error);
      if (attempts <= retriesMax) {
        log.warn({ ...details, why }, 'A notification was not taken; it will be tried again');
        const next = { ...delivery, attempts, dueAtMs: nowMs() + (this.#options.retryMs ?? retryMs) };
        await this.#keep(() => store.deliveries.put(key, next));
        return this.#plan(key, next);
      }
      log.error({ ...details, why }, 'A notification was not taken for the last time; it is dropped');
    }
    if (this.#closed) return;
    this.#pending.delete(key);
    await this.#keep(() => store.deliveries.remove(key));
  }

  /** A delivery that can't be noted is made again after a restart: SNS delivers at least once. */
  async #keep(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#options.log.error({ err: error }, 'A delivery could not be noted on disk');
    }
  }
}

function textsOf(message: string): Record<string, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(message);
  } catch {
    throw invalid('Message Structure - JSON message body failed to parse');
  }
  const members =
    typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? Object.entries(parsed) : [];
  const texts = members.filter((pair): pair is [string, string] => typeof pair[1] === 'string');
  if (!texts.some(([name]) => name === 'default'))
    throw invalid('Message Structure - No default entry in JSON message body');
  return Object.fromEntries(texts);
}
