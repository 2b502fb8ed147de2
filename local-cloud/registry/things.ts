/** Things and thing types, as the AWS IoT control API keeps them. */

import { randomUUID } from 'node:crypto';
import { thingNamePattern } from '../engines/shadow-request.ts';
import { pairKey, type Store } from '../store/store.ts';
import { arn } from './arns.ts';
import { alreadyExists, invalidRequest, notFound, versionConflict } from './aws-error.ts';
import type { ThingRecord, ThingTypeRecord } from './records.ts';

/** AWS: 50 attributes a thing that has a type, 3 else; names to 128 characters, values to 800. */
const attributesMax = 50;
const attributesWithoutTypeMax = 3;
const typeDeprecatedSecondsMin = 300;
const attributeName = /^[a-zA-Z0-9_.,@/:#=[\]-]{1,128}$/;
const attributeValue = /^[a-zA-Z0-9_.,@/:#=[\]-]{0,800}$/;

export interface AttributePayload {
  attributes?: Record<string, string> | undefined;
  /** Keep the attributes that are not named; an empty value removes one. */
  merge?: boolean | undefined;
}

export function checkName(kind: string, name: string): void {
  if (!thingNamePattern.test(name)) {
    throw invalidRequest(`${kind} '${name}' must be 1 to 128 of a-z, A-Z, 0-9, ':', '_' and '-'`);
  }
}

export class Things {
  #store: Store;
  #changed: () => void;

  constructor(store: Store, changed: () => void) {
    this.#store = store;
    this.#changed = changed;
  }

  get(thingName: string): ThingRecord {
    const thing = this.#store.things.get(thingName);
    if (!thing) throw notFound(`Thing ${thingName} not found`);
    return thing;
  }

  find(thingName: string): ThingRecord | undefined {
    return this.#store.things.get(thingName);
  }

  *list(): Generator<ThingRecord> {
    yield* this.#store.things.values();
  }

  /** The same thing again, with the same configuration, is no error. */
  async create(
    thingName: string,
    thingTypeName?: string,
    payload: AttributePayload = {},
  ): Promise<ThingRecord> {
    checkName('thingName', thingName);
    return this.#change(() => {
      const attributes = nextAttributes({}, payload, thingTypeName);
      const existing = this.#store.things.get(thingName);
      if (existing) {
        const same =
          existing.thingTypeName === thingTypeName && sameAttributes(existing.attributes, attributes);
        if (same) return existing;
        throw alreadyExists(
          `Thing ${thingName} already exists in account with different attributes`,
          existing.thingId,
          arn('thing', thingName),
        );
      }
      this.#requireType(thingTypeName);
      const thing: ThingRecord = {
        thingName,
        thingId: randomUUID(),
        ...(thingTypeName === undefined ? {} : { thingTypeName }),
        attributes,
        version: 1,
      };
      this.#store.things.set(thingName, thing);
      return thing;
    });
  }

  async update(
    thingName: string,
    change: {
      thingTypeName?: string | undefined;
      removeThingType?: boolean | undefined;
      attributePayload?: AttributePayload | undefined;
      expectedVersion?: number | undefined;
    },
  ): Promise<void> {
    await this.#change(() => {
      const thing = this.get(thingName);
      expectVersion(thing, change.expectedVersion);
      if (change.thingTypeName !== thing.thingTypeName) this.#requireType(change.thingTypeName);
      const { thingTypeName: typeBefore, ...rest } = thing;
      const thingTypeName = change.removeThingType ? undefined : (change.thingTypeName ?? typeBefore);
      this.#store.things.set(thingName, {
        ...rest,
        ...(thingTypeName === undefined ? {} : { thingTypeName }),
        attributes: change.attributePayload
          ? nextAttributes(thing.attributes, change.attributePayload, thingTypeName)
          : thing.attributes,
        version: thing.version + 1,
      });
    });
  }

  /** A thing that is not there is deleted already. Its shadows stay. */
  async delete(thingName: string, expectedVersion?: number): Promise<void> {
    await this.#change(() => {
      const thing = this.#store.things.get(thingName);
      if (!thing) return;
      expectVersion(thing, expectedVersion);
      if (!this.#store.thingPrincipals.pairedWith(thingName).next().done) {
        throw invalidRequest(`Cannot delete. Thing ${thingName} is still attached to one or more principals`);
      }
      for (const group of this.#store.thingGroupsOf.pairedWith(thingName)) {
        this.#store.groupThings.unset(pairKey(group, thingName));
        this.#store.thingGroupsOf.unset(pairKey(thingName, group));
      }
      this.#store.things.unset(thingName);
    });
  }

  async createType(
    thingTypeName: string,
    properties: {
      thingTypeDescription?: string | undefined;
      searchableAttributes?: string[] | undefined;
    } = {},
  ): Promise<ThingTypeRecord> {
    checkName('thingTypeName', thingTypeName);
    return this.#change(() => {
      const existing = this.#store.thingTypes.get(thingTypeName);
      const searchableAttributes = properties.searchableAttributes ?? [];
      if (existing) {
        const same =
          existing.description === properties.thingTypeDescription &&
          existing.searchableAttributes.join('\0') === searchableAttributes.join('\0');
        if (same) return existing;
        throw alreadyExists(
          `ThingType ${thingTypeName} already exists in account with different properties`,
          existing.thingTypeId,
          arn('thingtype', thingTypeName),
        );
      }
      const type: ThingTypeRecord = {
        thingTypeName,
        thingTypeId: randomUUID(),
        ...(properties.thingTypeDescription === undefined
          ? {}
          : { description: properties.thingTypeDescription }),
        searchableAttributes,
        createdAt: nowSeconds(),
      };
      this.#store.thingTypes.set(thingTypeName, type);
      return type;
    });
  }

  getType(thingTypeName: string): ThingTypeRecord {
    const type = this.#store.thingTypes.get(thingTypeName);
    if (!type) throw notFound(`Thing Type ${thingTypeName} not found`);
    return type;
  }

  async deprecateType(thingTypeName: string, undo: boolean): Promise<void> {
    await this.#change(() => {
      const { deprecatedAt: _before, ...type } = this.getType(thingTypeName);
      this.#store.thingTypes.set(thingTypeName, { ...type, ...(undo ? {} : { deprecatedAt: nowSeconds() }) });
    });
  }

  /** AWS: only a type that has been deprecated for five minutes, and that no thing has. */
  async deleteType(thingTypeName: string): Promise<void> {
    await this.#change(() => {
      const { deprecatedAt } = this.getType(thingTypeName);
      if (deprecatedAt === undefined || nowSeconds() - deprecatedAt < typeDeprecatedSecondsMin) {
        throw invalidRequest(
          `Can not delete thing type ${thingTypeName}: please wait for 5 minutes after deprecation and then retry`,
        );
      }
      for (const thing of this.list()) {
        if (thing.thingTypeName === thingTypeName) {
          throw invalidRequest(
            `Can not delete thing type ${thingTypeName}: the thing ${thing.thingName} has it`,
          );
        }
      }
      this.#store.tags.unset(arn('thingtype', thingTypeName));
      this.#store.thingTypes.unset(thingTypeName);
    });
  }

  *listTypes(): Generator<ThingTypeRecord> {
    yield* this.#store.thingTypes.values();
  }

  async attach(thingName: string, certificateId: string): Promise<void> {
    await this.#change(() => {
      this.get(thingName);
      if (!this.#store.certificates.has(certificateId))
        throw notFound(`Certificate ${certificateId} not found`);
      this.#store.thingPrincipals.set(pairKey(thingName, certificateId), 1);
      this.#store.principalThings.set(pairKey(certificateId, thingName), 1);
    });
  }

  async detach(thingName: string, certificateId: string): Promise<void> {
    await this.#change(() => {
      this.get(thingName);
      this.#store.thingPrincipals.unset(pairKey(thingName, certificateId));
      this.#store.principalThings.unset(pairKey(certificateId, thingName));
    });
  }

  isAttached(thingName: string, certificateId: string): boolean {
    return this.#store.thingPrincipals.has(pairKey(thingName, certificateId));
  }

  certificatesOf(thingName: string): string[] {
    this.get(thingName);
    return [...this.#store.thingPrincipals.pairedWith(thingName)];
  }

  thingsOf(certificateId: string): string[] {
    return [...this.#store.principalThings.pairedWith(certificateId)];
  }

  async #change<T>(action: () => T): Promise<T> {
    const result = await this.#store.transact(action);
    this.#changed();
    return result;
  }

  #requireType(thingTypeName: string | undefined): void {
    if (thingTypeName === undefined) return;
    if (this.getType(thingTypeName).deprecatedAt !== undefined) {
      throw invalidRequest(`Can not associate a thing with the deprecated thing type ${thingTypeName}`);
    }
  }
}

export const nowSeconds = () => Date.now() / 1000;

function expectVersion(thing: ThingRecord, expected: number | undefined): void {
  if (expected !== undefined && expected !== thing.version) {
    throw versionConflict(
      `The version for Thing ${thing.thingName} does not match the expected version: it is ${thing.version}`,
    );
  }
}

function sameAttributes(a: Record<string, string>, b: Record<string, string>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function nextAttributes(
  before: Record<string, string>,
  { attributes = {}, merge = false }: AttributePayload,
  thingTypeName: string | undefined,
): Record<string, string> {
  const next = new Map(merge ? Object.entries(before) : []);
  for (const [name, value] of Object.entries(attributes)) {
    if (!attributeName.test(name)) throw invalidRequest(`Attribute name '${name}' is not valid`);
    if (!attributeValue.test(value)) throw invalidRequest(`The value of attribute '${name}' is not valid`);
    if (value === '') next.delete(name);
    else next.set(name, value);
  }
  const max = thingTypeName === undefined ? attributesWithoutTypeMax : attributesMax;
  if (next.size > max)
    throw invalidRequest(`A thing can have ${max} attributes; this one would have ${next.size}`);
  return Object.fromEntries(next);
}
