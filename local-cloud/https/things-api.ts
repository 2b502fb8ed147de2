/** The control API's operations on things, types and groups. */

import * as z from 'zod';
import { arn, nameInArn } from '../registry/arns.ts';
import { invalidRequest } from '../registry/aws-error.ts';
import type { ThingRecord } from '../registry/records.ts';
import type { Registry } from '../registry/registry.ts';
import { type Handler, operation, page, queryBoolean, queryNumber } from './operation.ts';

const attributePayload = z.strictObject({
  attributes: z.record(z.string(), z.string()).optional(),
  merge: z.boolean().optional(),
});
const paging = { nextToken: z.string().optional(), maxResults: queryNumber.optional() };

function thingSummary(thing: ThingRecord) {
  return {
    thingName: thing.thingName,
    thingTypeName: thing.thingTypeName,
    thingArn: arn('thing', thing.thingName),
    attributes: thing.attributes,
    version: thing.version,
  };
}

/** A name, or the ARN in its place. */
function nameOf(kind: 'thing' | 'thinggroup', name: string | undefined, itsArn: string | undefined): string {
  const found = name ?? (itsArn === undefined ? undefined : nameInArn(kind, itsArn));
  if (found === undefined) throw invalidRequest(`The name of the ${kind} is missing`);
  return found;
}

export function thingOperations({ things, groups }: Registry): [string, Handler][] {
  const membership = {
    thingGroupName: z.string().optional(),
    thingGroupArn: z.string().optional(),
    thingName: z.string().optional(),
    thingArn: z.string().optional(),
  };
  const thingName = z.string();
  const thingTypeName = z.string();
  const thingGroupName = z.string();
  return [
    operation(
      'CreateThing',
      { thingName, thingTypeName: z.string().optional(), attributePayload: attributePayload.optional() },
      async (input) => {
        const thing = await things.create(input.thingName, input.thingTypeName, input.attributePayload);
        return {
          thingName: thing.thingName,
          thingArn: arn('thing', thing.thingName),
          thingId: thing.thingId,
        };
      },
    ),
    operation('DescribeThing', { thingName }, (input) => {
      const thing = things.get(input.thingName);
      return { defaultClientId: thing.thingName, thingId: thing.thingId, ...thingSummary(thing) };
    }),
    operation(
      'ListThings',
      {
        ...paging,
        attributeName: z.string().optional(),
        attributeValue: z.string().optional(),
        thingTypeName: z.string().optional(),
        usePrefixAttributeValue: queryBoolean.optional(),
      },
      ({ nextToken, maxResults, attributeName, attributeValue, usePrefixAttributeValue, ...by }) => {
        const fits = ({ thingTypeName: type, attributes }: ThingRecord): boolean => {
          if (by.thingTypeName !== undefined && type !== by.thingTypeName) return false;
          if (attributeName === undefined) return true;
          const value = Object.hasOwn(attributes, attributeName) ? attributes[attributeName] : undefined;
          if (attributeValue === undefined || value === undefined) return value !== undefined;
          return usePrefixAttributeValue ? value.startsWith(attributeValue) : value === attributeValue;
        };
        const { items, next } = page([...things.list()].filter(fits), nextToken, maxResults);
        return { things: items.map(thingSummary), nextToken: next };
      },
    ),
    operation(
      'UpdateThing',
      {
        thingName,
        thingTypeName: z.string().optional(),
        attributePayload: attributePayload.optional(),
        expectedVersion: z.number().int().optional(),
        removeThingType: z.boolean().optional(),
      },
      async (input) => {
        await things.update(input.thingName, input);
        return {};
      },
    ),
    operation('DeleteThing', { thingName, expectedVersion: queryNumber.optional() }, async (input) => {
      await things.delete(input.thingName, input.expectedVersion);
      return {};
    }),
    operation(
      'CreateThingType',
      {
        thingTypeName,
        thingTypeProperties: z
          .strictObject({
            thingTypeDescription: z.string().optional(),
            searchableAttributes: z.array(z.string()).optional(),
          })
          .optional(),
      },
      async (input) => {
        const type = await things.createType(input.thingTypeName, input.thingTypeProperties);
        return {
          thingTypeName: type.thingTypeName,
          thingTypeArn: arn('thingtype', type.thingTypeName),
          thingTypeId: type.thingTypeId,
        };
      },
    ),
    operation('DescribeThingType', { thingTypeName }, (input) => {
      const type = things.getType(input.thingTypeName);
      return {
        thingTypeName: type.thingTypeName,
        thingTypeId: type.thingTypeId,
        thingTypeArn: arn('thingtype', type.thingTypeName),
        thingTypeProperties: {
          thingTypeDescription: type.description,
          searchableAttributes: type.searchableAttributes,
        },
        thingTypeMetadata: { deprecated: false, creationDate: type.createdAt },
      };
    }),
    operation('ListThingTypes', { ...paging, thingTypeName: z.string().optional() }, (input) => {
      const fitting = [...things.listTypes()].filter(
        (type) => input.thingTypeName === undefined || type.thingTypeName === input.thingTypeName,
      );
      const { items, next } = page(fitting, input.nextToken, input.maxResults);
      return {
        thingTypes: items.map((type) => ({
          thingTypeName: type.thingTypeName,
          thingTypeArn: arn('thingtype', type.thingTypeName),
          thingTypeProperties: {
            thingTypeDescription: type.description,
            searchableAttributes: type.searchableAttributes,
          },
          thingTypeMetadata: { deprecated: false, creationDate: type.createdAt },
        })),
        nextToken: next,
      };
    }),
    operation(
      'CreateThingGroup',
      {
        thingGroupName,
        parentGroupName: z.string().optional(),
        thingGroupProperties: z
          .strictObject({
            thingGroupDescription: z.string().optional(),
            attributePayload: attributePayload.optional(),
          })
          .optional(),
      },
      async (input) => {
        const group = await groups.create(
          input.thingGroupName,
          input.parentGroupName,
          input.thingGroupProperties,
        );
        return {
          thingGroupName: group.thingGroupName,
          thingGroupArn: arn('thinggroup', group.thingGroupName),
          thingGroupId: group.thingGroupId,
        };
      },
    ),
    operation('DescribeThingGroup', { thingGroupName }, (input) => {
      const group = groups.get(input.thingGroupName);
      return {
        thingGroupName: group.thingGroupName,
        thingGroupId: group.thingGroupId,
        thingGroupArn: arn('thinggroup', group.thingGroupName),
        version: group.version,
        thingGroupProperties: {
          thingGroupDescription: group.description,
          attributePayload: { attributes: group.attributes },
        },
        thingGroupMetadata: { parentGroupName: group.parentGroupName, creationDate: group.createdAt },
      };
    }),
    operation(
      'ListThingGroups',
      { ...paging, parentGroup: z.string().optional(), namePrefixFilter: z.string().optional() },
      (input) => {
        const fitting = [...groups.list()].filter(
          (group) =>
            (input.parentGroup === undefined || group.parentGroupName === input.parentGroup) &&
            group.thingGroupName.startsWith(input.namePrefixFilter ?? ''),
        );
        const { items, next } = page(fitting, input.nextToken, input.maxResults);
        return { thingGroups: items.map(({ thingGroupName: name }) => groupEntry(name)), nextToken: next };
      },
    ),
    operation(
      'AddThingToThingGroup',
      { ...membership, overrideDynamicGroups: z.boolean().optional() },
      async (input) => {
        await groups.add(
          nameOf('thinggroup', input.thingGroupName, input.thingGroupArn),
          nameOf('thing', input.thingName, input.thingArn),
        );
        return {};
      },
    ),
    operation('RemoveThingFromThingGroup', membership, async (input) => {
      await groups.remove(
        nameOf('thinggroup', input.thingGroupName, input.thingGroupArn),
        nameOf('thing', input.thingName, input.thingArn),
      );
      return {};
    }),
    operation(
      'ListThingsInThingGroup',
      { thingGroupName, ...paging, recursive: queryBoolean.optional() },
      (input) => {
        const names = groups.thingsIn(input.thingGroupName, input.recursive);
        const { items, next } = page(names, input.nextToken, input.maxResults);
        return { things: items, nextToken: next };
      },
    ),
    operation('ListThingGroupsForThing', { thingName, ...paging }, (input) => {
      things.get(input.thingName);
      const { items, next } = page(groups.groupsOf(input.thingName), input.nextToken, input.maxResults);
      return { thingGroups: items.map(groupEntry), nextToken: next };
    }),
  ];
}

function groupEntry(name: string) {
  return { groupName: name, groupArn: arn('thinggroup', name) };
}
