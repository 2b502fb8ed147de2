/** Static thing groups. */

import { randomUUID } from 'node:crypto';
import { pairKey, type Store } from '../store/store.ts';
import { arn } from './arns.ts';
import { alreadyExists, invalidRequest, notFound, versionConflict } from './aws-error.ts';
import type { ThingGroupRecord } from './records.ts';
import { checkName, nowSeconds } from './things.ts';

export interface ThingGroupProperties {
  thingGroupDescription?: string | undefined;
  attributePayload?:
    | { attributes?: Record<string, string> | undefined; merge?: boolean | undefined }
    | undefined;
}

export class ThingGroups {
  #store: Store;
  #changed: () => void;

  constructor(store: Store, changed: () => void) {
    this.#store = store;
    this.#changed = changed;
  }

  get(name: string): ThingGroupRecord {
    const group = this.#store.thingGroups.get(name);
    if (!group) throw notFound(`Thing group ${name} not found`);
    return group;
  }

  *list(): Generator<ThingGroupRecord> {
    yield* this.#store.thingGroups.values();
  }

  async create(
    name: string,
    parentGroupName?: string,
    properties: ThingGroupProperties = {},
  ): Promise<ThingGroupRecord> {
    checkName('thingGroupName', name);
    return this.#change(() => {
      const attributes = properties.attributePayload?.attributes ?? {};
      const existing = this.#store.thingGroups.get(name);
      if (existing) {
        const same =
          existing.parentGroupName === parentGroupName &&
          existing.description === properties.thingGroupDescription &&
          JSON.stringify(existing.attributes) === JSON.stringify(attributes);
        if (same) return existing;
        throw alreadyExists(
          `Thing group ${name} already exists in account with different properties`,
          existing.thingGroupId,
          arn('thinggroup', name),
        );
      }
      if (parentGroupName !== undefined) this.get(parentGroupName);
      const group: ThingGroupRecord = {
        thingGroupName: name,
        thingGroupId: randomUUID(),
        ...(parentGroupName === undefined ? {} : { parentGroupName }),
        ...(properties.thingGroupDescription === undefined
          ? {}
          : { description: properties.thingGroupDescription }),
        attributes,
        version: 1,
        createdAt: nowSeconds(),
      };
      this.#store.thingGroups.set(name, group);
      return group;
    });
  }

  async update(name: string, properties: ThingGroupProperties, expectedVersion?: number): Promise<number> {
    return this.#change(() => {
      const group = this.get(name);
      expectVersion(group, expectedVersion);
      const { attributes = {}, merge = false } = properties.attributePayload ?? {};
      const next = Object.entries(merge ? { ...group.attributes, ...attributes } : attributes);
      const version = group.version + 1;
      this.#store.thingGroups.set(name, {
        ...group,
        ...(properties.thingGroupDescription === undefined
          ? {}
          : { description: properties.thingGroupDescription }),
        ...(properties.attributePayload === undefined
          ? {}
          : { attributes: Object.fromEntries(next.filter(([, value]) => value !== '')) }),
        version,
      });
      return version;
    });
  }

  /** A group that is not there is deleted already. */
  async delete(name: string, expectedVersion?: number): Promise<void> {
    await this.#change(() => {
      const group = this.#store.thingGroups.get(name);
      if (!group) return;
      expectVersion(group, expectedVersion);
      for (const { parentGroupName, thingGroupName: child } of this.list()) {
        if (parentGroupName === name) {
          throw invalidRequest(`Cannot delete thing group ${name}: it has the child group ${child}`);
        }
      }
      for (const thing of this.#store.groupThings.pairedWith(name)) {
        this.#store.groupThings.unset(pairKey(name, thing));
        this.#store.thingGroupsOf.unset(pairKey(thing, name));
      }
      const target = arn('thinggroup', name);
      for (const policy of this.#store.targetPolicies.pairedWith(target)) {
        this.#store.policyTargets.unset(pairKey(policy, target));
        this.#store.targetPolicies.unset(pairKey(target, policy));
      }
      this.#store.tags.unset(target);
      this.#store.thingGroups.unset(name);
    });
  }

  async add(name: string, thingName: string): Promise<void> {
    await this.#change(() => {
      this.get(name);
      if (!this.#store.things.has(thingName)) throw notFound(`Thing ${thingName} not found`);
      this.#store.groupThings.set(pairKey(name, thingName), 1);
      this.#store.thingGroupsOf.set(pairKey(thingName, name), 1);
    });
  }

  async remove(name: string, thingName: string): Promise<void> {
    await this.#change(() => {
      this.get(name);
      this.#store.groupThings.unset(pairKey(name, thingName));
      this.#store.thingGroupsOf.unset(pairKey(thingName, name));
    });
  }

  thingsIn(name: string, recursive = false): string[] {
    this.get(name);
    const things = new Set(this.#store.groupThings.pairedWith(name));
    if (recursive) {
      for (const group of this.list()) {
        if (group.parentGroupName !== name) continue;
        for (const thing of this.thingsIn(group.thingGroupName, true)) things.add(thing);
      }
    }
    return [...things].sort();
  }

  groupsOf(thingName: string): string[] {
    return [...this.#store.thingGroupsOf.pairedWith(thingName)];
  }

  /** The group and the groups above it. */
  lineage(name: string): string[] {
    const names: string[] = [];
    let group = this.#store.thingGroups.get(name);
    while (group && !names.includes(group.thingGroupName)) {
      names.push(group.thingGroupName);
      group =
        group.parentGroupName === undefined ? undefined : this.#store.thingGroups.get(group.parentGroupName);
    }
    return names;
  }

  async #change<T>(action: () => T): Promise<T> {
    const result = await this.#store.transact(action);
    this.#changed();
    return result;
  }
}

function expectVersion({ thingGroupName, version }: ThingGroupRecord, expected: number | undefined): void {
  if (expected !== undefined && expected !== version) {
    throw versionConflict(
      `The version for thing group ${thingGroupName} does not match the expected version: it is ${version}`,
    );
  }
}
