/** Tags of resources, by ARN. */

import type { Store } from '../store/store.ts';
import { arn, nameInArn, type ResourceKind } from './arns.ts';
import { AwsError, invalidRequest, notFound } from './aws-error.ts';

export interface Tag {
  Key: string;
  Value?: string | undefined;
}

/** AWS: tags of one resource. */
const tagsMax = 50;
const keyPattern = /^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u;
const valueCharsMax = 256;

export class Tags {
  #store: Store;
  constructor(store: Store) {
    this.#store = store;
  }

  of(resourceArn: string): Tag[] {
    return Object.entries(this.#store.tags.get(this.#known(resourceArn)) ?? {}).map(([Key, Value]) => ({
      Key,
      Value,
    }));
  }

  async add(resourceArn: string, tags: readonly Tag[]): Promise<void> {
    const key = this.#known(resourceArn);
    checkTags(tags);
    await this.#store.transact(() => {
      const next = new Map(Object.entries(this.#store.tags.get(key) ?? {}));
      for (const { Key, Value = '' } of tags) next.set(Key, Value);
      if (next.size > tagsMax) {
        throw new AwsError(410, 'LimitExceededException', `A resource can have ${tagsMax} tags`);
      }
      this.#store.tags.set(key, Object.fromEntries(next));
    });
  }

  async remove(resourceArn: string, keys: readonly string[]): Promise<void> {
    const key = this.#known(resourceArn);
    await this.#store.transact(() => {
      const left = Object.entries(this.#store.tags.get(key) ?? {}).filter(([name]) => !keys.includes(name));
      if (left.length === 0) this.#store.tags.unset(key);
      else this.#store.tags.set(key, Object.fromEntries(left));
    });
  }

  /** @returns the ARN in this cloud's region and account */
  #known(resourceArn: string): string {
    const tables: Partial<Record<ResourceKind, { has(name: string): boolean }>> = {
      thinggroup: this.#store.thingGroups,
      thingtype: this.#store.thingTypes,
      policy: this.#store.policies,
      rule: this.#store.topicRules,
      rolealias: this.#store.roleAliases,
      provisioningtemplate: this.#store.provisioningTemplates,
      cacert: this.#store.caCertificates,
    };
    for (const kind of Object.keys(tables) as ResourceKind[]) {
      const name = nameInArn(kind, resourceArn);
      if (name === undefined) continue;
      if (tables[kind]?.has(name)) return arn(kind, name);
      throw notFound(`The resource does not exist: ${resourceArn}`);
    }
    throw invalidRequest(`The ARN is of no resource that can be tagged: ${resourceArn}`);
  }
}

/** @throws AwsError (400) */
export function checkTags(tags: readonly Tag[]): void {
  for (const { Key, Value = '' } of tags) {
    if (!keyPattern.test(Key)) throw invalidRequest(`The tag key '${Key}' is not valid`);
    if (Value.length > valueCharsMax) throw invalidRequest(`The value of tag '${Key}' is too long`);
  }
}

/** The header `x-amz-tagging`: `key=value&…`, URL-encoded. */
export function tagsOfHeader(text: string): Tag[] {
  return [...new URLSearchParams(text)].map(([Key, Value]) => ({ Key, Value }));
}
