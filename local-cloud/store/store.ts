/**
 * The local cloud's disk: one LMDB environment with one database a kind of thing. A write's promise resolves
 * after the data is synced to disk, so whatever is acknowledged after it survives `kill -9` and a power cut.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { StoredShadow } from '../engines/shadow.ts';
import type {
  CertificateRecord,
  PolicyRecord,
  ProvisioningTemplateRecord,
  ProvisioningTemplateVersionRecord,
  ThingGroupRecord,
  ThingRecord,
  ThingTypeRecord,
  TopicRuleRecord,
} from '../registry/records.ts';

/** Raised whenever what is on disk changes its form. */
const formatVersion = 1;
const mapBytesMax = 4 * 1024 ** 3;

/** Keys of two parts are joined by a character that neither names nor ARNs contain. */
const separator = ' ';
export const pairKey = (first: string, second: string) => `${first}${separator}${second}`;
export const pairOf = (key: string): [string, string] => {
  const at = key.indexOf(separator);
  return [key.slice(0, at), key.slice(at + 1)];
};

/** A table of JSON values. Read at once, written durably. */
export class Table<V> {
  #database: Database<string, string>;

  constructor(database: Database<string, string>) {
    this.#database = database;
  }

  get(key: string): V | undefined {
    const text = this.#database.get(key);
    return text === undefined ? undefined : (JSON.parse(text) as V);
  }

  has(key: string): boolean {
    return this.#database.doesExist(key);
  }

  async put(key: string, value: V): Promise<void> {
    await this.#database.put(key, JSON.stringify(value));
  }

  async remove(key: string): Promise<void> {
    await this.#database.remove(key);
  }

  /** Within `transact` only: part of its one durable step. */
  set(key: string, value: V): void {
    void this.#database.put(key, JSON.stringify(value));
  }

  /** Within `transact` only. */
  unset(key: string): void {
    void this.#database.remove(key);
  }

  /** In the order of keys. */
  *entries(): Generator<[string, V]> {
    for (const { key, value } of this.#database.getRange()) yield [key, JSON.parse(value) as V];
  }

  *values(): Generator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  /** Second parts of the pairs whose first part this is. */
  *pairedWith(first: string): Generator<string> {
    const start = `${first}${separator}`;
    for (const key of this.#database.getKeys({ start })) {
      if (!key.startsWith(start)) return;
      yield key.slice(start.length);
    }
  }
}

export interface RetainedRecord {
  /** base64 */
  payload: string;
  qos: 0 | 1;
  atMs: number;
}

export class StoreError extends Error {
  override name = 'StoreError';
}

function tables(root: RootDatabase<string, string>) {
  const table = <V>(name: string) => new Table<V>(root.openDB<string, string>({ name, encoding: 'string' }));
  /** A set of pairs: only the keys count. */
  const pairs = (name: string) => table<1>(name);
  return {
    shadows: table<StoredShadow>('shadows'),
    things: table<ThingRecord>('things'),
    thingTypes: table<ThingTypeRecord>('thing-types'),
    thingGroups: table<ThingGroupRecord>('thing-groups'),
    groupThings: pairs('group-things'),
    thingGroupsOf: pairs('thing-groups-of'),
    certificates: table<CertificateRecord>('certificates'),
    policies: table<PolicyRecord>('policies'),
    /** policy, then target (a certificate's or a group's ARN) */
    policyTargets: pairs('policy-targets'),
    targetPolicies: pairs('target-policies'),
    thingPrincipals: pairs('thing-principals'),
    principalThings: pairs('principal-things'),
    provisioningTemplates: table<ProvisioningTemplateRecord>('provisioning-templates'),
    /** template, then version */
    provisioningVersions: table<ProvisioningTemplateVersionRecord>('provisioning-versions'),
    topicRules: table<TopicRuleRecord>('topic-rules'),
    retained: table<RetainedRecord>('retained'),
    /** Presence version numbers by client id. */
    presence: table<number>('presence'),
  };
}

export type Store = ReturnType<typeof tables> & {
  /** Runs `action` (synchronous) as one durable step; when it throws, nothing of it is kept. */
  transact<T>(action: () => T): Promise<T>;
  close(): Promise<void>;
};

/** @throws StoreError when a newer program wrote the folder, or it is no store at all */
export async function openStore(folder: string): Promise<Store> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'cloud.lmdb');
  let root: RootDatabase<string, string>;
  try {
    root = open<string, string>({
      path,
      encoding: 'string',
      maxDbs: 32,
      mapSize: mapBytesMax,
      // A promise resolves after the sync, not before it.
      overlappingSync: false,
      noMemInit: false,
    });
  } catch (error) {
    throw new StoreError(`Cannot open the local cloud's data at ${path}: ${String(error)}`, { cause: error });
  }
  const found = root.get('format-version');
  if (found !== undefined && found !== String(formatVersion)) {
    await root.close();
    throw new StoreError(
      `${path} has format ${found}; this program knows format ${formatVersion}. ` +
        'Start the newer program, or use another data folder.',
    );
  }
  if (found === undefined) await root.put('format-version', String(formatVersion));
  return {
    ...tables(root),
    transact: (action) => root.childTransaction(action),
    close: () => root.close(),
  };
}
