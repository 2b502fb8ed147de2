/** Reads what the actions need of the registry and of both tables. */

import { type AttributeValue, GetItemCommand, QueryCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { ListThingsInThingGroupCommand, ResourceNotFoundException } from '@aws-sdk/client-iot';
import {
  type FleetItems,
  fleetNameOf,
  fleetNamesScan,
  fleetQuery,
  parseFleetItems,
} from '../../protocol/fleet-table-dynamodb.ts';
import { fleetName, parseThingName, thingGroupName } from '../../protocol/names.ts';
import { type SignRecord, signRecord, signTablePartitionKey } from '../../protocol/sign-record.ts';
import { fromItem, toAttribute } from '../../protocol/sign-record-dynamodb.ts';
import { ActionError, InvalidInputError } from './errors.ts';
import type { Operator } from './operator.ts';

const pagesMax = 20;
type Start = { ExclusiveStartKey?: Record<string, AttributeValue> };

/** Names of all fleets that the table knows. */
export async function fleetNames(operator: Operator): Promise<string[]> {
  const names = new Set<string>();
  let start: Start = {};
  for (let page = 0; page < pagesMax; page++) {
    const { Items, LastEvaluatedKey } = await operator.dynamodb.send(
      new ScanCommand({ ...fleetNamesScan(operator.fleetTable), ...start }),
    );
    for (const item of Items ?? []) {
      const name = fleetNameOf(item);
      if (name !== undefined) names.add(name);
    }
    if (!LastEvaluatedKey) break;
    start = { ExclusiveStartKey: LastEvaluatedKey };
  }
  return [...names].sort();
}

export async function readFleetItems(operator: Operator, fleet: string): Promise<FleetItems> {
  const items: Record<string, AttributeValue>[] = [];
  let start: Start = {};
  for (let page = 0; page < pagesMax; page++) {
    const { Items, LastEvaluatedKey } = await operator.dynamodb.send(
      new QueryCommand({ ...fleetQuery(operator.fleetTable, fleet), ...start }),
    );
    items.push(...(Items ?? []));
    if (!LastEvaluatedKey) break;
    start = { ExclusiveStartKey: LastEvaluatedKey };
  }
  return parseFleetItems(items, () => undefined);
}

/** Things of the fleet's group; empty where the registry has no such group. */
export async function registeredThings(operator: Operator, fleet: string): Promise<string[]> {
  const things: string[] = [];
  let nextToken: string | undefined;
  try {
    for (let page = 0; page < pagesMax; page++) {
      const answer = await operator.iot.send(
        new ListThingsInThingGroupCommand({
          thingGroupName: thingGroupName(fleet),
          maxResults: 100,
          ...(nextToken ? { nextToken } : {}),
        }),
      );
      things.push(...(answer.things ?? []));
      nextToken = answer.nextToken;
      if (!nextToken) break;
    }
  } catch (error) {
    if (!(error instanceof ResourceNotFoundException)) throw error;
  }
  return things.filter((thing) => parseThingName(thing)?.fleet === fleet).sort();
}

/** @throws InvalidInputError where the name can't be one. */
export function checkedFleetName(fleet: string): string {
  const parsed = fleetName.safeParse(fleet);
  if (parsed.success) return parsed.data;
  throw new InvalidInputError(
    `${JSON.stringify(fleet)} can't be a fleet's name: it has 1 to 32 of a-z, 0-9 and -`,
  );
}

/** @throws InvalidInputError where there is no such fleet. */
export async function unknownFleet(operator: Operator, fleet: string): Promise<never> {
  const names = await fleetNames(operator);
  if (names.includes(fleet)) {
    throw new InvalidInputError(
      `the fleet ${fleet} has no registered server and no settings yet: "beam register" on a server that was admitted ("beam fleet admit")`,
    );
  }
  const others = names.length > 0 ? `there is ${names.join(', ')}` : 'there is none at all';
  throw new InvalidInputError(`there is no fleet ${fleet} here (${others}): check the name and the endpoint`);
}

/** @returns undefined where the key was never enrolled. @throws ActionError where it is no record. */
export async function readSignRecord(operator: Operator, key: string): Promise<SignRecord | undefined> {
  const { Item } = await operator.dynamodb.send(
    new GetItemCommand({
      TableName: operator.signTable,
      Key: { [signTablePartitionKey]: toAttribute(key) },
      ConsistentRead: true,
    }),
  );
  if (!Item) return undefined;
  const parsed = signRecord.safeParse(fromItem(Item));
  if (parsed.success) return parsed.data;
  throw new ActionError(`the sign record ${key} can't be read as one: ${parsed.error.message}`);
}
