/** Reads and writes the fleet table. */

import { type DynamoDBClient, PutItemCommand, QueryCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import type * as z from 'zod';
import { fromJsonItem, toJsonItem } from '../../protocol/dynamodb-json.ts';
import {
  type FleetConfig,
  type FleetNode,
  fleetConfig,
  fleetItems,
  fleetNode,
  fleetTablePartitionKey,
  fleetTableSortKey,
  type LastFailover,
  type LastGrant,
  lastFailover,
  lastGrant,
} from '../../protocol/fleet-table.ts';
import { log } from './log.ts';

/** A fleet has some ten servers; more pages than this are not a fleet. */
const pagesMax = 20;

export interface FleetItems {
  config: FleetConfig | undefined;
  lastGrant: LastGrant | undefined;
  lastFailover: LastFailover | undefined;
  /** By thing. */
  nodes: FleetNode[];
}

export class FleetTable {
  readonly #client: DynamoDBClient;
  readonly #table: string;

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  /** Consistent: what another invocation noted counts. */
  async read(fleet: string): Promise<FleetItems> {
    const items = new Map<string, Record<string, unknown>>();
    let next: Record<string, never> | undefined;
    for (let page = 0; page < pagesMax; page++) {
      const { Items, LastEvaluatedKey } = await this.#client.send(
        new QueryCommand({
          TableName: this.#table,
          ConsistentRead: true,
          KeyConditionExpression: '#fleet = :fleet',
          ExpressionAttributeNames: { '#fleet': fleetTablePartitionKey },
          ExpressionAttributeValues: { ':fleet': { S: fleet } },
          ...(next ? { ExclusiveStartKey: next } : {}),
        }),
      );
      for (const item of Items ?? []) {
        const plain = fromJsonItem(item);
        items.set(String(plain[fleetTableSortKey]), plain);
      }
      next = LastEvaluatedKey as Record<string, never> | undefined;
      if (!next) break;
    }
    const special = <T extends z.ZodType>(name: string, schema: T) =>
      parsed(items.get(name), schema, fleet, name);
    return {
      config: special(fleetItems.config, fleetConfig),
      lastGrant: special(fleetItems.grant, lastGrant),
      lastFailover: special(fleetItems.failover, lastFailover),
      nodes: [...items.entries()]
        // An item of presence events alone is no node yet.
        .filter(([name, item]) => !name.startsWith('#') && item.receivedAt !== undefined)
        .flatMap(([name, item]) => parsed(item, fleetNode, fleet, name) ?? [])
        .sort((a, b) => (a.item < b.item ? -1 : 1)),
    };
  }

  async fleets(): Promise<string[]> {
    const fleets = new Set<string>();
    let next: Record<string, never> | undefined;
    for (let page = 0; page < pagesMax; page++) {
      const { Items, LastEvaluatedKey } = await this.#client.send(
        new ScanCommand({
          TableName: this.#table,
          ProjectionExpression: '#fleet',
          ExpressionAttributeNames: { '#fleet': fleetTablePartitionKey },
          ...(next ? { ExclusiveStartKey: next } : {}),
        }),
      );
      for (const item of Items ?? []) {
        const name = item[fleetTablePartitionKey]?.S;
        if (name) fleets.add(name);
      }
      next = LastEvaluatedKey as Record<string, never> | undefined;
      if (!next) return [...fleets].sort();
    }
    log('warn', `Table ${this.#table} has more than ${pagesMax} pages: some fleets are not swept`);
    return [...fleets].sort();
  }

  async put(item: LastGrant | LastFailover): Promise<void> {
    await this.#client.send(new PutItemCommand({ TableName: this.#table, Item: toJsonItem(item) }));
  }
}

function parsed<T extends z.ZodType>(
  item: unknown,
  schema: T,
  fleet: string,
  name: string,
): z.output<T> | undefined {
  if (item === undefined) return undefined;
  const result = schema.safeParse(item);
  if (result.success) return result.data;
  log('error', `Item ${name} of fleet ${fleet} can't be read and is left out`, {
    fault: result.error.message,
  });
  return undefined;
}
