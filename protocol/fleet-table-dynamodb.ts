/** The fleet table as DynamoDB's API takes and gives it. No SDK types: the shapes are the wire's. */

import * as z from 'zod';
import { fromJsonItem } from './dynamodb-json.ts';
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
} from './fleet-table.ts';

/** Input of Query for all that is known of a fleet. Consistent: what another one just noted counts. */
export function fleetQuery(table: string, fleet: string) {
  return {
    TableName: table,
    ConsistentRead: true,
    KeyConditionExpression: '#fleet = :fleet',
    ExpressionAttributeNames: { '#fleet': fleetTablePartitionKey },
    ExpressionAttributeValues: { ':fleet': { S: fleet } },
  };
}

/** Input of Scan for the names of all fleets (`fleetNameOf` each item). */
export function fleetNamesScan(table: string) {
  return {
    TableName: table,
    ProjectionExpression: '#fleet',
    ExpressionAttributeNames: { '#fleet': fleetTablePartitionKey },
  };
}
const namedItem = z.object({ [fleetTablePartitionKey]: z.object({ S: z.string() }) });
export function fleetNameOf(item: Record<string, unknown>): string | undefined {
  return namedItem.safeParse(item).data?.[fleetTablePartitionKey]?.S;
}

export interface FleetItems {
  config: FleetConfig | undefined;
  lastGrant: LastGrant | undefined;
  lastFailover: LastFailover | undefined;
  /** By thing's name. */
  nodes: FleetNode[];
}

/** @param onFault told of each item that can't be read; it is left out. */
export function parseFleetItems(
  items: readonly Record<string, unknown>[],
  onFault: (item: string, fault: string) => void,
): FleetItems {
  const found: FleetItems = { config: undefined, lastGrant: undefined, lastFailover: undefined, nodes: [] };
  for (const item of items) {
    const plain = fromJsonItem(item);
    const name = String(plain[fleetTableSortKey]);
    const parsed = <T extends z.ZodType>(schema: T): z.output<T> | undefined => {
      const result = schema.safeParse(plain);
      if (!result.success) onFault(name, z.prettifyError(result.error));
      return result.data;
    };
    if (name === fleetItems.config) found.config = parsed(fleetConfig);
    else if (name === fleetItems.grant) found.lastGrant = parsed(lastGrant);
    else if (name === fleetItems.failover) found.lastFailover = parsed(lastFailover);
    else if (!name.startsWith('#')) {
      const node = parsed(fleetNode);
      if (node) found.nodes.push(node);
    }
  }
  found.nodes.sort((a, b) => (a.item < b.item ? -1 : 1));
  return found;
}
