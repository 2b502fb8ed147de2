/** Parses AWS IoT policy documents. What the evaluator does not know is an error here, never ignored later. */

import * as z from 'zod';
import { isObject, type JsonValue } from './json-tree.ts';

/** Operators of a Condition that the evaluator knows. */
export const conditionOperators = [
  'Bool',
  'StringEquals',
  'StringNotEquals',
  'StringEqualsIgnoreCase',
  'StringNotEqualsIgnoreCase',
  'StringLike',
  'StringNotLike',
] as const;
export type ConditionOperator = (typeof conditionOperators)[number];

export interface PolicyStatement {
  effect: 'Allow' | 'Deny';
  actions: string[];
  resources: string[];
  conditions: { operator: ConditionOperator; key: string; values: string[] }[];
}

export class MalformedPolicy extends Error {
  override name = 'MalformedPolicy';
}

/** AWS takes a lone value in place of a list. */
const listOf = <S extends z.ZodType>(item: S) =>
  z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(item).min(1));
const oneOrMore = listOf(z.string());
const conditionValue = z.union([z.string(), z.boolean(), z.number()]).transform(String);
const statementSchema = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: oneOrMore,
  Resource: oneOrMore,
  Condition: z
    .partialRecord(z.enum(conditionOperators), z.record(z.string(), listOf(conditionValue)))
    .optional(),
});
const documentSchema = z.strictObject({
  Version: z.enum(['2012-10-17', '2008-10-17']),
  Id: z.string().optional(),
  Statement: listOf(statementSchema),
});

/** AWS allows policies of 2,048 bytes, white space aside. */
const policyBytesMax = 2048;

/** @throws MalformedPolicy that names each place at fault */
export function parsePolicy(text: string): PolicyStatement[] {
  let json: JsonValue;
  try {
    json = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new MalformedPolicy(`The policy document is not JSON: ${String(error)}`);
  }
  if (!isObject(json)) throw new MalformedPolicy('The policy document must be a JSON object');
  const bytes = Buffer.byteLength(text.replace(/\s+/g, ''));
  if (bytes > policyBytesMax) {
    throw new MalformedPolicy(
      `The policy document has ${bytes} bytes without white space; the maximum is ${policyBytesMax}`,
    );
  }
  const parsed = documentSchema.safeParse(json);
  if (!parsed.success) {
    const places = parsed.error.issues.map(
      (issue) => `${issue.path.join('.') || 'document'}: ${issue.message}`,
    );
    throw new MalformedPolicy(`The policy document is malformed: ${places.join('; ')}`);
  }
  return parsed.data.Statement.map((statement) => ({
    effect: statement.Effect,
    actions: statement.Action,
    resources: statement.Resource,
    conditions: Object.entries(statement.Condition ?? {}).flatMap(([operator, keys]) =>
      Object.entries(keys ?? {}).map(([key, values]) => ({
        operator: conditionOperators.find((name) => name === operator) ?? 'StringEquals',
        key,
        values,
      })),
    ),
  }));
}
