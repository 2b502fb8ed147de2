/** DynamoDB in memory: the calls that Beam makes, conditions and updates as it writes them on the wire. */

import { type Attribute, type Item, meets, updated } from './expressions.ts';

export interface Update {
  TableName?: string | undefined;
  Key?: Record<string, Attribute> | undefined;
  UpdateExpression?: string | undefined;
  ConditionExpression?: string | undefined;
  ExpressionAttributeNames?: Record<string, string> | undefined;
  ExpressionAttributeValues?: Record<string, Attribute> | undefined;
}

export class Tables {
  readonly #tables = new Map<string, Map<string, Item>>();
  /** Told of each update that took effect: puts are an administrator's. */
  onUpdate: (table: string, before: Item | undefined, after: Item) => void = () => {};
  /** What happens just before the next such update is looked at: the worst of moments. */
  #interrupt: { before: (update: Update) => boolean; act: () => void } | undefined;

  get(table: string, key: Record<string, Attribute>): Item | undefined {
    return this.#of(table).get(keyOf(key));
  }

  /** Every item of a table whose first key attribute is this. */
  query(table: string, partition?: { name: string; value: string }): Item[] {
    return [...this.#of(table).values()].filter(
      (item) => partition === undefined || item[partition.name]?.S === partition.value,
    );
  }

  /** As an administrator, or PutItem. */
  put(table: string, key: Record<string, Attribute>, item: Item): void {
    this.#of(table).set(keyOf(key), item);
  }

  interrupt(before: (update: Update) => boolean, act: () => void): void {
    this.#interrupt = { before, act };
  }

  /** As an administrator alone: no software of ours may. */
  remove(table: string, key: Record<string, Attribute>): void {
    this.#of(table).delete(keyOf(key));
  }

  /** @returns the item before and after it; undefined where the condition does not hold */
  update(input: Update): { before: Item | undefined; after: Item } | undefined {
    const { TableName = '', Key = {}, UpdateExpression = '', ConditionExpression } = input;
    const of = { names: input.ExpressionAttributeNames ?? {}, values: input.ExpressionAttributeValues ?? {} };
    if (this.#interrupt?.before(input)) {
      const { act } = this.#interrupt;
      this.#interrupt = undefined;
      act();
    }
    const before = this.get(TableName, Key);
    if (!meets(ConditionExpression, before, of)) return undefined;
    const after = updated(UpdateExpression, before ?? Key, of);
    this.put(TableName, Key, after);
    this.onUpdate(TableName, before, after);
    return { before, after };
  }

  #of(table: string): Map<string, Item> {
    let items = this.#tables.get(table);
    if (!items) {
      items = new Map();
      this.#tables.set(table, items);
    }
    return items;
  }
}

function keyOf(key: Record<string, Attribute>): string {
  return Object.values(key)
    .map(({ S }) => String(S))
    .join('\u0000');
}
