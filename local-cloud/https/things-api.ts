/** The control API's operations on things. */

import * as z from 'zod';
import { arn } from '../registry/arns.ts';
import type { ThingRecord } from '../registry/records.ts';
import type { Registry } from '../registry/registry.ts';
import { type Handler, operation, queryBoolean, queryNumber } from './operation.ts';
import { page } from './page.ts';

export const attributePayload = z.strictObject({
  attributes: z.record(z.string(), z.string()).optional(),
  merge: z.boolean().optional(),
});
export const paging = { nextToken: z.string().optional(), maxResults: queryNumber.optional() };

function thingSummary(thing: ThingRecord) {
  return {
    thingName: thing.thingName,
    thingTypeName: thing.thingTypeName,
    thingArn: arn('thing', thing.thingName),
    attributes: thing.attributes,
    version: thing.version,
  };
}

/** @throws AwsError where there is none */
export function describeThing({ things }: Pick<Registry, 'things'>, thingName: string) {
  const thing = things.get(thingName);
  return { defaultClientId: thing.thingName, thingId: thing.thingId, ...thingSummary(thing) };
}

export function thingOperations({ things }: Registry): [string, Handler][] {
  const thingName = z.string();
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
    operation('DescribeThing', { thingName }, (input) => describeThing({ things }, input.thingName)),
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
        const { items, next } = page(
          'ListThings',
          [...things.list()].filter(fits),
          ({ thingName: name }) => name,
          { token: nextToken, size: maxResults },
        );
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
  ];
}
