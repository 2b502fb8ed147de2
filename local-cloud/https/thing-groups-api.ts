/** The control API's operations on static thing groups. */

import * as z from 'zod';
import { arn, nameInArn } from '../registry/arns.ts';
import { invalidRequest } from '../registry/aws-error.ts';
import type { ThingGroupRecord } from '../registry/records.ts';
import type { Registry } from '../registry/registry.ts';
import { type Handler, operation, queryBoolean, queryNumber } from './operation.ts';
import { page } from './page.ts';
import { tagging, tagList } from './tags-api.ts';
import { attributePayload, paging } from './things-api.ts';

/** A name, or the ARN in its place. */
function nameOf(kind: 'thing' | 'thinggroup', name: string | undefined, itsArn: string | undefined): string {
  const found = name ?? (itsArn === undefined ? undefined : nameInArn(kind, itsArn));
  if (found === undefined) throw invalidRequest(`The name of the ${kind} is missing`);
  return found;
}

export function thingGroupOperations({ things, groups, tags }: Registry): [string, Handler][] {
  const membership = {
    thingGroupName: z.string().optional(),
    thingGroupArn: z.string().optional(),
    thingName: z.string().optional(),
    thingArn: z.string().optional(),
  };
  const thingName = z.string();
  const thingGroupName = z.string();
  const tagged = tagging(tags);
  const thingGroupProperties = z.strictObject({
    thingGroupDescription: z.string().optional(),
    attributePayload: attributePayload.optional(),
  });
  const isBelow = (group: ThingGroupRecord, parent: string | undefined, recursive: boolean): boolean => {
    if (parent === undefined) return recursive || group.parentGroupName === undefined;
    if (!recursive) return group.parentGroupName === parent;
    return groups.lineage(group.thingGroupName).slice(1).includes(parent);
  };
  return [
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
        tags: tagList,
      },
      (input) =>
        tagged(input.tags, arn('thinggroup', input.thingGroupName), async () => {
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
        }),
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
        thingGroupMetadata: {
          parentGroupName: group.parentGroupName,
          rootToParentThingGroups: groups.lineage(group.thingGroupName).slice(1).reverse().map(groupEntry),
          creationDate: group.createdAt,
        },
      };
    }),
    operation(
      'ListThingGroups',
      {
        ...paging,
        parentGroup: z.string().optional(),
        namePrefixFilter: z.string().optional(),
        recursive: queryBoolean.default(true),
      },
      (input) => {
        const fitting = [...groups.list()].filter(
          (group) =>
            isBelow(group, input.parentGroup, input.recursive) &&
            group.thingGroupName.startsWith(input.namePrefixFilter ?? ''),
        );
        const { items, next } = page('ListThingGroups', fitting, ({ thingGroupName: name }) => name, {
          token: input.nextToken,
          size: input.maxResults,
        });
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
        const { items, next } = page('ListThingsInThingGroup', names, (name) => name, {
          token: input.nextToken,
          size: input.maxResults,
        });
        return { things: items, nextToken: next };
      },
    ),
    operation('ListThingGroupsForThing', { thingName, ...paging }, (input) => {
      things.get(input.thingName);
      const { items, next } = page(
        'ListThingGroupsForThing',
        groups.groupsOf(input.thingName),
        (name) => name,
        { token: input.nextToken, size: input.maxResults },
      );
      return { thingGroups: items.map(groupEntry), nextToken: next };
    }),
    operation(
      'UpdateThingGroup',
      { thingGroupName, thingGroupProperties, expectedVersion: z.number().int().optional() },
      async (input) => ({
        version: await groups.update(input.thingGroupName, input.thingGroupProperties, input.expectedVersion),
      }),
    ),
    operation(
      'DeleteThingGroup',
      { thingGroupName, expectedVersion: queryNumber.optional() },
      async (input) => {
        await groups.delete(input.thingGroupName, input.expectedVersion);
        return {};
      },
    ),
    operation(
      'UpdateThingGroupsForThing',
      {
        thingName,
        thingGroupsToAdd: z.array(z.string()).default([]),
        thingGroupsToRemove: z.array(z.string()).default([]),
        overrideDynamicGroups: z.boolean().optional(),
      },
      async (input) => {
        for (const name of input.thingGroupsToAdd) await groups.add(name, input.thingName);
        for (const name of input.thingGroupsToRemove) await groups.remove(name, input.thingName);
        return {};
      },
    ),
  ];
}

export function groupEntry(name: string) {
  return { groupName: name, groupArn: arn('thinggroup', name) };
}
