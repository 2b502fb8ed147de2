/** An operation of AWS's API: what it takes, checked once, and what it does. */

import * as z from 'zod';
import type { JsonObject } from '../engines/json-tree.ts';
import { invalidRequest, notImplemented } from '../registry/aws-error.ts';

/** The answer's body, before it becomes JSON: members that are undefined are left out. */
export type Answer = { [member: string]: unknown };

export type Handler = (input: JsonObject) => Promise<Answer> | Answer;

/**
 * @param members what the local cloud knows of the operation's input. A member that it does not know is refused by
 * name: silently doing something else than AWS would be worse.
 */
export function operation<S extends z.ZodRawShape>(
  name: string,
  members: S,
  act: (input: z.infer<z.ZodObject<S>>) => Promise<Answer> | Answer,
): [string, Handler] {
  const schema = z.strictObject(members);
  return [
    name,
    (input) => {
      const parsed = schema.safeParse(input);
      if (parsed.success) return act(parsed.data as z.infer<z.ZodObject<S>>);
      const faults = parsed.error.issues.map((issue) => {
        if (issue.code === 'unrecognized_keys') throw notImplemented(`${issue.keys.join(', ')} of ${name}`);
        return `${issue.path.join('.')}: ${issue.message}`;
      });
      throw invalidRequest(`${name}: ${faults.join('; ')}`);
    },
  ];
}

/** Query parameters are text. */
export const queryBoolean = z.enum(['true', 'false']).transform((text) => text === 'true');
export const queryNumber = z
  .string()
  .regex(/^\d{1,9}$/)
  .transform(Number);
