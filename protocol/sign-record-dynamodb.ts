/** The sign record's changes as DynamoDB's API takes them. No SDK types: the shapes are the wire's. */

import { type Condition, type ItemUpdate, signTablePartitionKey } from './sign-record.ts';

/** A DynamoDB attribute value of the two types that the sign table uses. */
export type AttributeValue = { S: string } | { N: string };

export function toAttribute(value: string | number): AttributeValue {
  return typeof value === 'string' ? { S: value } : { N: String(value) };
}

/** A stored item as plain values; other attribute types are left out, so that a schema then misses them. */
export function fromItem(item: Record<string, unknown>): Record<string, string | number> {
  const plain: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(item)) {
    const attribute = value as { S?: string; N?: string };
    if (attribute.S !== undefined) plain[name] = attribute.S;
    else if (attribute.N !== undefined) plain[name] = Number(attribute.N);
  }
  return plain;
}

export interface UpdateItemInput {
  TableName: string;
  Key: Record<string, AttributeValue>;
  UpdateExpression: string;
  ConditionExpression: string;
  ExpressionAttributeNames: Record<string, string>;
  ExpressionAttributeValues: Record<string, AttributeValue>;
  ReturnValues: 'ALL_NEW';
}

/** Writes an update as UpdateItem's input; all names and values go through placeholders. */
export function toUpdateItem(table: string, update: ItemUpdate): UpdateItemInput {
  const names: Record<string, string> = {};
  const values: Record<string, AttributeValue> = {};
  let count = 0;
  const name = (attribute: string) => {
    names[`#${attribute}`] = attribute;
    return `#${attribute}`;
  };
  const value = (of: string | number) => {
    const placeholder = `:v${count++}`;
    values[placeholder] = toAttribute(of);
    return placeholder;
  };
  /** AND binds tighter than OR, so brackets stand around an OR within an AND alone: each costs a parser dearly (docs/findings.md). */
  const expression = (condition: Condition, within: 'and' | 'or' = 'or'): string => {
    if ('all' in condition) return condition.all.map((part) => expression(part, 'and')).join(' AND ');
    if ('any' in condition) {
      const text = condition.any.map((part) => expression(part, 'or')).join(' OR ');
      return within === 'and' ? `(${text})` : text;
    }
    if ('absent' in condition) return `attribute_not_exists(${name(condition.absent)})`;
    return `${name(condition.attribute)} ${condition.is} ${value(condition.value)}`;
  };
  const set = Object.entries(update.set).map(([attribute, to]) => `${name(attribute)} = ${value(to)}`);
  return {
    TableName: table,
    Key: { [signTablePartitionKey]: toAttribute(update.key) },
    UpdateExpression: `SET ${set.join(', ')}`,
    ConditionExpression: expression(update.when),
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
    ReturnValues: 'ALL_NEW',
  };
}
