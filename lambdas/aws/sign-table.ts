/** The sign table as Commander may use it: read all, and write a grant. */

import {
  type BeatItem,
  beatItem,
  beatKey,
  grant,
  type SignRecord,
  signRecord,
  signTablePartitionKey,
} from '../../protocol/sign-record.ts';
import { fromItem, toAttribute, toUpdateItem } from '../../protocol/sign-record-dynamodb.ts';
import { conditionFailed, type DynamoDb } from './dynamodb.ts';

export type RecordRead =
  | { state: 'missing'; key: string }
  | { state: 'malformed'; key: string; fault: string }
  | { state: 'read'; record: SignRecord };

export class SignTable {
  readonly #dynamodb: DynamoDb;
  readonly #table: string;

  constructor(dynamodb: DynamoDb, table: string) {
    this.#dynamodb = dynamodb;
    this.#table = table;
  }

  async #get(key: string): Promise<Record<string, string | number> | undefined> {
    const { Item } = await this.#dynamodb.getItem({
      TableName: this.#table,
      Key: { [signTablePartitionKey]: toAttribute(key) },
      ConsistentRead: true,
    });
    return Item && fromItem(Item);
  }

  /** Read consistently. @throws where the table can't be read: then the invocation is tried again. */
  async record(key: string): Promise<RecordRead> {
    const item = await this.#get(key);
    if (!item) return { state: 'missing', key };
    const parsed = signRecord.safeParse(item);
    if (parsed.success) return { state: 'read', record: parsed.data };
    return {
      state: 'malformed',
      key,
      fault: parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
    };
  }

  async beat(recordKey: string, recordId: string): Promise<BeatItem | undefined> {
    return beatItem.safeParse(await this.#get(beatKey(recordKey, recordId))).data;
  }

  /** @returns false where another decider was first, or the record is not the one that was seen. */
  async grant(
    recordKey: string,
    seen: { recordId: string; grantEpoch: number },
    thing: string,
  ): Promise<boolean> {
    try {
      await this.#dynamodb.updateItem(toUpdateItem(this.#table, grant(recordKey, seen, thing)));
      return true;
    } catch (error) {
      if (conditionFailed(error)) return false;
      throw error;
    }
  }
}
