/** JSON as DynamoDB's attribute values and back: the fleet table's items. No SDK types: the shapes are the wire's. */

import * as z from 'zod';

export type JsonAttribute =
  | { S: string }
  | { N: string }
  | { BOOL: boolean }
  | { NULL: true }
  | { L: JsonAttribute[] }
  | { M: Record<string, JsonAttribute> };

type Json = z.core.util.JSONType;

/** `undefined` members of objects are left out, and `__proto__`, which must not become anybody's prototype. */
export function toJsonAttribute(value: unknown): JsonAttribute {
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  if (typeof value === 'boolean') return { BOOL: value };
  if (value === null || value === undefined) return { NULL: true };
  if (Array.isArray(value)) return { L: value.map(toJsonAttribute) };
  if (typeof value === 'object') return { M: toJsonItem(value) };
  throw new TypeError(`A ${typeof value} has no place in an item`);
}

export function toJsonItem(value: object): Record<string, JsonAttribute> {
  const item: Record<string, JsonAttribute> = {};
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined && name !== '__proto__') item[name] = toJsonAttribute(member);
  }
  return item;
}

const attributeValue: z.ZodType<Json> = z.lazy(() =>
  z.union([
    z.object({ S: z.string() }).transform(({ S }): Json => S),
    z.object({ N: z.string() }).transform(({ N }): Json => Number(N)),
    z.object({ BOOL: z.boolean() }).transform(({ BOOL }): Json => BOOL),
    z.object({ NULL: z.literal(true) }).transform((): Json => null),
    z.object({ L: z.array(attributeValue) }).transform(({ L }): Json => L),
    z.object({ M: z.record(z.string(), attributeValue) }).transform(({ M }): Json => M),
  ]),
);

const jsonItem = z.record(z.string(), attributeValue);

/** @throws where the item holds a type that is not JSON's (sets, binary): nobody of ours writes those. */
export function fromJsonItem(item: Record<string, unknown>): Record<string, Json> {
  return jsonItem.parse(item);
}
