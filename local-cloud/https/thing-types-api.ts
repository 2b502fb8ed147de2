/** The control API's operations on thing types. */

import * as z from 'zod';
import { arn } from '../registry/arns.ts';
import type { ThingTypeRecord } from '../registry/records.ts';
import type { Registry } from '../registry/registry.ts';
import { type Handler, operation } from './operation.ts';
import { page } from './page.ts';
import { tagging, tagList } from './tags-api.ts';
import { paging } from './things-api.ts';

function typeMetadata({ deprecatedAt, createdAt }: ThingTypeRecord) {
  return { deprecated: deprecatedAt !== undefined, deprecationDate: deprecatedAt, creationDate: createdAt };
}

export function thingTypeOperations({ things, tags }: Registry): [string, Handler][] {
  const thingTypeName = z.string();
  const tagged = tagging(tags);
  return [
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
        tags: tagList,
      },
      (input) =>
        tagged(input.tags, arn('thingtype', input.thingTypeName), async () => {
          const type = await things.createType(input.thingTypeName, input.thingTypeProperties);
          return {
            thingTypeName: type.thingTypeName,
            thingTypeArn: arn('thingtype', type.thingTypeName),
            thingTypeId: type.thingTypeId,
          };
        }),
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
        thingTypeMetadata: typeMetadata(type),
      };
    }),
    operation('ListThingTypes', { ...paging, thingTypeName: z.string().optional() }, (input) => {
      const fitting = [...things.listTypes()].filter(
        (type) => input.thingTypeName === undefined || type.thingTypeName === input.thingTypeName,
      );
      const { items, next } = page('ListThingTypes', fitting, ({ thingTypeName: name }) => name, {
        token: input.nextToken,
        size: input.maxResults,
      });
      return {
        thingTypes: items.map((type) => ({
          thingTypeName: type.thingTypeName,
          thingTypeArn: arn('thingtype', type.thingTypeName),
          thingTypeProperties: {
            thingTypeDescription: type.description,
            searchableAttributes: type.searchableAttributes,
          },
          thingTypeMetadata: typeMetadata(type),
        })),
        nextToken: next,
      };
    }),
    operation(
      'DeprecateThingType',
      { thingTypeName, undoDeprecate: z.boolean().default(false) },
      async (input) => {
        await things.deprecateType(input.thingTypeName, input.undoDeprecate);
        return {};
      },
    ),
    operation('DeleteThingType', { thingTypeName }, async (input) => {
      await things.deleteType(input.thingTypeName);
      return {};
    }),
  ];
}
