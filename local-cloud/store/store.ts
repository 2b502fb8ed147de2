/**
 * What the local cloud keeps beside DynamoDB's items: one table a kind of thing, in memory as a whole, on disk before a write's promise
 * resolves. So whatever is acknowledged after it survives `kill -9` and a power cut, and reads show what is on disk, which is what
 * an answer may be based on.
 */

import type { QueuedRecord, RetainedRecord, SessionRecord, WillRecord } from '../broker/records.ts';
import type { StoredShadow } from '../engines/shadow.ts';
import type { EventRuleRecord } from '../events/records.ts';
import type { RoleRecord } from '../iam/records.ts';
import type { FunctionRecord, LambdaEventRecord } from '../lambda/records.ts';
import type {
  CaCertificateRecord,
  CertificateRecord,
  PolicyRecord,
  PolicyVersionRecord,
  ProvisioningTemplateRecord,
  ProvisioningTemplateVersionRecord,
  RoleAliasRecord,
  ThingGroupRecord,
  ThingRecord,
  ThingTypeRecord,
  TopicRuleRecord,
} from '../registry/records.ts';
import type { StoredInboxRecord } from '../rules/records.ts';
import type { DeliveryRecord, SubscriptionRecord, TopicRecord } from '../sns/records.ts';
import type { QueueMessageRecord, QueueRecord } from '../sqs/records.ts';
import { Disk } from './disk.ts';
import { openFolder } from './folder.ts';
import type { KeySpace } from './key-space.ts';
import { Writer } from './writer.ts';

/** Keys of two parts are joined by a character that neither names nor ARNs contain. */
const separator = ' ';
export const pairKey = (first: string, second: string) => `${first}${separator}${second}`;
export const pairOf = (key: string): [string, string] => {
  const at = key.indexOf(separator);
  return [key.slice(0, at), key.slice(at + 1)];
};

/** A table of JSON values. Read at once, written durably. */
export class Table<V> {
  readonly #writer: Writer;
  readonly #space: KeySpace;
  readonly #keptMax: number;
  /** What was written last, with the text that it became, so that reading it takes no parsing. */
  readonly #kept = new Map<string, { text: string; value: V }>();

  /** @param keptMax values that are kept as they were written: nobody may change one that it wrote or read */
  constructor(writer: Writer, space: KeySpace, keptMax = 0) {
    this.#writer = writer;
    this.#space = space;
    this.#keptMax = keptMax;
  }

  get(key: string): V | undefined {
    const text = this.#space.get(key, this.#writer.view);
    if (text === undefined) return undefined;
    const kept = this.#kept.get(key);
    return kept?.text === text ? kept.value : (JSON.parse(text) as V);
  }

  has(key: string): boolean {
    return this.#space.get(key, this.#writer.view) !== undefined;
  }

  put(key: string, value: V): Promise<void> {
    const text = JSON.stringify(value);
    if (this.#keptMax > 0) this.#keep(key, text, value);
    return this.#writer.write({ space: this.#space, key, text });
  }

  remove(key: string): Promise<void> {
    this.#kept.delete(key);
    return this.#writer.write({ space: this.#space, key, text: undefined });
  }

  /** Within `transact` only: part of its one durable step. */
  set(key: string, value: V): void {
    this.#writer.add({ space: this.#space, key, text: JSON.stringify(value) });
  }

  /** Within `transact` only. */
  unset(key: string): void {
    this.#writer.add({ space: this.#space, key, text: undefined });
  }

  /** In the order of keys. */
  *entries(): Generator<[string, V]> {
    const { view } = this.#writer;
    for (const key of this.#space.keys('', view)) {
      const text = this.#space.get(key, view);
      if (text !== undefined) yield [key, JSON.parse(text) as V];
    }
  }

  *values(): Generator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  /** Second parts of the pairs whose first part this is. */
  *pairedWith(first: string): Generator<string> {
    const start = `${first}${separator}`;
    for (const key of this.#space.keys(start, this.#writer.view)) yield key.slice(start.length);
  }

  #keep(key: string, text: string, value: V): void {
    if (this.#kept.size >= this.#keptMax && !this.#kept.has(key)) {
      const [oldest = ''] = this.#kept.keys();
      this.#kept.delete(oldest);
    }
    this.#kept.set(key, { text, value });
  }
}

/** Of some KB each. */
const shadowsKeptMax = 2000;

function tables(writer: Writer) {
  const table = <V>(name: string, keptMax = 0) => new Table<V>(writer, writer.space(name), keptMax);
  /** A set of pairs: only the keys count. */
  const pairs = (name: string) => table<1>(name);
  return {
    shadows: table<StoredShadow>('shadows', shadowsKeptMax),
    things: table<ThingRecord>('things'),
    thingTypes: table<ThingTypeRecord>('thing-types'),
    thingGroups: table<ThingGroupRecord>('thing-groups'),
    groupThings: pairs('group-things'),
    thingGroupsOf: pairs('thing-groups-of'),
    certificates: table<CertificateRecord>('certificates'),
    caCertificates: table<CaCertificateRecord>('ca-certificates'),
    /** One at most: what the owner of a CA's key must sign. */
    registrationCodes: table<string>('registration-codes'),
    policies: table<PolicyRecord>('policies'),
    /** policy, then target (a certificate's or a group's ARN) */
    policyTargets: pairs('policy-targets'),
    targetPolicies: pairs('target-policies'),
    /** policy, then version */
    policyVersions: table<PolicyVersionRecord>('policy-versions'),
    roleAliases: table<RoleAliasRecord>('role-aliases'),
    /** By the resource's ARN. */
    tags: table<Record<string, string>>('tags'),
    thingPrincipals: pairs('thing-principals'),
    principalThings: pairs('principal-things'),
    provisioningTemplates: table<ProvisioningTemplateRecord>('provisioning-templates'),
    /** template, then version */
    provisioningVersions: table<ProvisioningTemplateVersionRecord>('provisioning-versions'),
    topicRules: table<TopicRuleRecord>('topic-rules'),
    retained: table<RetainedRecord>('retained'),
    /** Presence version numbers by client id. */
    presence: table<number>('presence'),
    functions: table<FunctionRecord>('functions'),
    /** Zips, base64, by the function's name. */
    functionCode: table<string>('function-code'),
    /** By request id. */
    lambdaEvents: table<LambdaEventRecord>('lambda-events'),
    roles: table<RoleRecord>('roles'),
    eventRules: table<EventRuleRecord>('event-rules'),
    topics: table<TopicRecord>('topics'),
    subscriptions: table<SubscriptionRecord>('subscriptions'),
    /** Notifications that are not delivered yet, in their order. */
    deliveries: table<DeliveryRecord>('deliveries'),
    queues: table<QueueRecord>('queues'),
    /** queue, then sequence number */
    queueMessages: table<QueueMessageRecord>('queue-messages'),
    /** Messages whose rules are under way, by a rising number. */
    ruleMessages: table<StoredInboxRecord>('rule-messages'),
    /** Persistent MQTT sessions by client id, and what waits for them: by client id, then a rising number. */
    sessions: table<SessionRecord>('sessions'),
    queued: table<QueuedRecord>('queued'),
    /** Wills that wait for their delay, by client id. */
    wills: table<WillRecord>('wills'),
  };
}

export type Store = ReturnType<typeof tables> & {
  /** Runs `action` (synchronous) as one durable step; when it throws, nothing of it is kept. */
  transact<T>(action: () => T): Promise<T>;
  /** The machine's time when it was noted last: a clock that stands before it went back. */
  lastSeenMs(): number | undefined;
  noteSeen(nowMs: number): Promise<void>;
  close(): Promise<void>;
};

const lastSeenKey = 'last-seen-ms';

/**
 * @param place the data folder, or its disk, which then stays open after `close`
 * @throws StoreError as `openFolder`
 */
export async function openStore(place: string | Disk): Promise<Store> {
  const disk = place instanceof Disk ? place : await openFolder(place);
  const writer = new Writer(disk);
  const marks = new Table<number>(writer, writer.space('marks'));
  const made = tables(writer);
  await writer.load();
  return {
    ...made,
    transact: (action) => writer.transact(action),
    lastSeenMs: () => marks.get(lastSeenKey),
    noteSeen: (nowMs) => marks.put(lastSeenKey, nowMs),
    async close() {
      if (disk !== place) await disk.close();
    },
  };
}
