/** Reads and writes the fleet table. */

import { toJsonItem } from '../../protocol/dynamodb-json.ts';
import type { LastFailover, LastGrant } from '../../protocol/fleet-table.ts';
import {
  type FleetItems,
  fleetNameOf,
  fleetNamesScan,
  fleetQuery,
  parseFleetItems,
} from '../../protocol/fleet-table-dynamodb.ts';
import type { DynamoDb, ItemsPage, StoredItem } from './dynamodb.ts';
import { log } from './log.ts';

/** A fleet has some ten servers; more pages than this are not a fleet. */
const pagesMax = 20;

export class FleetTable {
  readonly #dynamodb: DynamoDb;
  readonly #table: string;

  constructor(dynamodb: DynamoDb, table: string) {
    this.#dynamodb = dynamodb;
    this.#table = table;
  }

  async read(fleet: string): Promise<FleetItems> {
    const items = await this.#pages((start) =>
      this.#dynamodb.query({ ...fleetQuery(this.#table, fleet), ...start }),
    );
    return parseFleetItems(items, (item, fault) =>
      log('error', `Item ${item} of fleet ${fleet} can't be read and is left out`, { fault }),
    );
  }

  async fleets(): Promise<string[]> {
    const items = await this.#pages((start) =>
      this.#dynamodb.scan({ ...fleetNamesScan(this.#table), ...start }),
    );
    return [...new Set(items.flatMap((item) => fleetNameOf(item) ?? []))].sort();
  }

  async put(item: LastGrant | LastFailover): Promise<void> {
    await this.#dynamodb.putItem({ TableName: this.#table, Item: toJsonItem(item) });
  }

  async #pages(
    page: (start: { ExclusiveStartKey?: StoredItem }) => Promise<ItemsPage>,
  ): Promise<StoredItem[]> {
    const items: StoredItem[] = [];
    let start: { ExclusiveStartKey?: StoredItem } = {};
    for (let pages = 0; pages < pagesMax; pages++) {
      const { Items, LastEvaluatedKey } = await page(start);
      items.push(...(Items ?? []));
      if (!LastEvaluatedKey) return items;
      start = { ExclusiveStartKey: LastEvaluatedKey };
    }
    log('warn', `Table ${this.#table} has more than ${pagesMax} pages: the rest is not seen`);
    return items;
  }
}
