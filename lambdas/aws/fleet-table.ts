/** Reads and writes the fleet table. */

import {
  type AttributeValue,
  type DynamoDBClient,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { toJsonItem } from '../../protocol/dynamodb-json.ts';
import type { LastFailover, LastGrant } from '../../protocol/fleet-table.ts';
import {
  type FleetItems,
  fleetNameOf,
  fleetNamesScan,
  fleetQuery,
  parseFleetItems,
} from '../../protocol/fleet-table-dynamodb.ts';
import { log } from './log.ts';

/** A fleet has some ten servers; more pages than this are not a fleet. */
const pagesMax = 20;

type Item = Record<string, AttributeValue>;

export class FleetTable {
  readonly #client: DynamoDBClient;
  readonly #table: string;

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  async read(fleet: string): Promise<FleetItems> {
    const items = await this.#pages((start) =>
      this.#client.send(new QueryCommand({ ...fleetQuery(this.#table, fleet), ...start })),
    );
    return parseFleetItems(items, (item, fault) =>
      log('error', `Item ${item} of fleet ${fleet} can't be read and is left out`, { fault }),
    );
  }

  async fleets(): Promise<string[]> {
    const items = await this.#pages((start) =>
      this.#client.send(new ScanCommand({ ...fleetNamesScan(this.#table), ...start })),
    );
    return [...new Set(items.flatMap((item) => fleetNameOf(item) ?? []))].sort();
  }

  async put(item: LastGrant | LastFailover): Promise<void> {
    await this.#client.send(new PutItemCommand({ TableName: this.#table, Item: toJsonItem(item) }));
  }

  async #pages(
    page: (start: { ExclusiveStartKey?: Item }) => Promise<{ Items?: Item[]; LastEvaluatedKey?: Item }>,
  ): Promise<Item[]> {
    const items: Item[] = [];
    let start: { ExclusiveStartKey?: Item } = {};
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
