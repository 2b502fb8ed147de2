/** The control API's operations on tags, and tags that come with a resource's creation. */

import * as z from 'zod';
import { checkTags, type Tag, type Tags } from '../registry/tags.ts';
import { type Answer, type Handler, operation } from './operation.ts';
import { page } from './page.ts';

export const tagList = z.array(z.strictObject({ Key: z.string(), Value: z.string().optional() })).default([]);

/** @returns makes a resource with its tags: tags that are not valid keep it from being made */
export function tagging(tags: Tags) {
  return async (given: readonly Tag[], resourceArn: string, make: () => Promise<Answer>): Promise<Answer> => {
    checkTags(given);
    const made = await make();
    if (given.length > 0) await tags.add(resourceArn, given);
    return made;
  };
}

export function tagOperations(tags: Tags): [string, Handler][] {
  const resourceArn = z.string();
  return [
    operation('TagResource', { resourceArn, tags: tagList }, async (input) => {
      await tags.add(input.resourceArn, input.tags);
      return {};
    }),
    operation('UntagResource', { resourceArn, tagKeys: z.array(z.string()) }, async (input) => {
      await tags.remove(input.resourceArn, input.tagKeys);
      return {};
    }),
    operation('ListTagsForResource', { resourceArn, nextToken: z.string().optional() }, (input) => {
      const { items, next } = page('ListTagsForResource', tags.of(input.resourceArn), ({ Key }) => Key, {
        token: input.nextToken,
        size: undefined,
      });
      return { tags: items, nextToken: next };
    }),
  ];
}
