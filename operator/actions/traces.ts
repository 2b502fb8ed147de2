/** What a cloud holds of servers: registry, shadows, fleet table. For who removes one, or looks what a teardown has left. */

import { type AttributeValue, QueryCommand } from '@aws-sdk/client-dynamodb';
import {
  DescribeThingCommand,
  DescribeThingGroupCommand,
  ListTargetsForPolicyCommand,
  paginateListPrincipalThings,
  paginateListThingPrincipals,
} from '@aws-sdk/client-iot';
import { admissionItem } from '../../protocol/admission.ts';
import { fleetTableSortKey } from '../../protocol/fleet-table.ts';
import { fleetQuery } from '../../protocol/fleet-table-dynamodb.ts';
import { claimPolicyName, parseThingName, pilotPolicyName, thingGroupName } from '../../protocol/names.ts';
import { shadowNames } from '../../protocol/shadows.ts';
import type { SignRecord } from '../../protocol/sign-record.ts';
import { ActionError } from './errors.ts';
import type { Operator } from './operator.ts';
import { fleetNames, readFleetItems, readSignRecord, registeredThings } from './read-fleet.ts';
import { readShadow } from './shadow-document.ts';

const pagesMax = 20;

export interface ServerTraces {
  thing: string;
  registered: boolean;
  /** ARNs. */
  certificates: string[];
  /** Of the shadows that Beam keeps. */
  shadows: string[];
  /** Sort keys of its items in the fleet table. */
  items: string[];
}

export function isGone({ registered, certificates, shadows, items }: ServerTraces): boolean {
  return !registered && certificates.length + shadows.length + items.length === 0;
}

/** @throws ActionError where the name is no server's */
export async function serverTraces(operator: Operator, thing: string): Promise<ServerTraces> {
  const named = parseThingName(thing);
  if (!named) throw new ActionError(`${thing} is no server of a fleet`);
  const own = [thing, admissionItem(named.node)];
  const [registered, shadows, items] = await Promise.all([
    isThere(operator.iot.send(new DescribeThingCommand({ thingName: thing }))),
    shadowsOf(operator, thing),
    itemNames(operator, named.fleet),
  ]);
  return {
    thing,
    registered,
    certificates: registered ? await certificatesOf(operator, thing) : [],
    shadows,
    items: items.filter((item) => own.includes(item)),
  };
}

export interface FleetTraces {
  fleet: string;
  /** The thing group. */
  group: boolean;
  servers: ServerTraces[];
  /** Sort keys of the fleet's own items in the fleet table. */
  items: string[];
  record: Pick<SignRecord, 'key' | 'recordId' | 'epoch' | 'holder'> | null;
}

/** Servers that the registry, the fleet table or an admission names. */
export async function fleetTraces(operator: Operator, fleet: string): Promise<FleetTraces> {
  const [group, things, items, { config }] = await Promise.all([
    isThere(operator.iot.send(new DescribeThingGroupCommand({ thingGroupName: thingGroupName(fleet) }))),
    registeredThings(operator, fleet),
    itemNames(operator, fleet),
    readFleetItems(operator, fleet),
  ]);
  const admission = admissionItem('');
  const named = items.flatMap((item) => {
    const thing = item.startsWith(admission) ? `${fleet}_${item.slice(admission.length)}` : item;
    return parseThingName(thing)?.fleet === fleet ? [thing] : [];
  });
  const servers = [];
  for (const thing of [...new Set([...things, ...named])].sort())
    servers.push(await serverTraces(operator, thing));
  const record =
    config?.recordKey === undefined ? undefined : await readSignRecord(operator, config.recordKey);
  const theirs = new Set(servers.flatMap((server) => server.items));
  return {
    fleet,
    group,
    servers,
    items: items.filter((item) => !theirs.has(item)),
    record: record
      ? { key: record.key, recordId: record.recordId, epoch: record.epoch, holder: record.holder }
      : null,
  };
}

export interface Leftovers {
  fleets: FleetTraces[];
  /** ARNs of certificates that still may do what a server or a claim may, and are no thing's. */
  loose: { certificate: string; policy: string }[];
}

/** @param fleet left out: all that the fleet table names */
export async function leftovers(operator: Operator, fleet?: string): Promise<Leftovers> {
  const names = fleet === undefined ? await fleetNames(operator) : [fleet];
  const fleets = [];
  for (const name of names) fleets.push(await fleetTraces(operator, name));
  const loose = [];
  for (const policy of [pilotPolicyName, claimPolicyName]) {
    for (const certificate of await targetsOf(operator, policy)) {
      const isLoose = (await thingsOf(operator, certificate)).length === 0;
      if (isLoose) loose.push({ certificate, policy });
    }
  }
  return { fleets, loose };
}

/** The things that a certificate is attached to. */
export async function thingsOf({ iot }: Operator, certificate: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { things = [] } of paginateListPrincipalThings(
    { client: iot },
    { principal: certificate },
  ))
    names.push(...things);
  return names;
}

async function certificatesOf({ iot }: Operator, thing: string): Promise<string[]> {
  const arns: string[] = [];
  for await (const { principals = [] } of paginateListThingPrincipals({ client: iot }, { thingName: thing }))
    arns.push(...principals.filter((principal) => principal.includes(':cert/')));
  return arns;
}

async function targetsOf({ iot }: Operator, policyName: string): Promise<string[]> {
  const found: string[] = [];
  let marker: string | undefined;
  for (let page = 0; page < pagesMax; page++) {
    const answer = await orNothing(iot.send(new ListTargetsForPolicyCommand({ policyName, marker })));
    found.push(...(answer?.targets ?? []).filter((target) => target.includes(':cert/')));
    marker = answer?.nextMarker;
    if (!marker) break;
  }
  return found;
}

/** Beam's own: what else somebody keeps in a thing's shadows is theirs. */
async function shadowsOf(operator: Operator, thing: string): Promise<string[]> {
  const found = await Promise.all(
    shadowNames.map(async (name) => ((await readShadow(operator, thing, name)) ? [name] : [])),
  );
  return found.flat().sort();
}

async function itemNames({ dynamodb, fleetTable }: Operator, fleet: string): Promise<string[]> {
  const names: string[] = [];
  let start: { ExclusiveStartKey?: Record<string, AttributeValue> } = {};
  for (let page = 0; page < pagesMax; page++) {
    const { Items = [], LastEvaluatedKey } = await dynamodb.send(
      new QueryCommand({ ...fleetQuery(fleetTable, fleet), ...start }),
    );
    names.push(...Items.flatMap((item) => item[fleetTableSortKey]?.S ?? []));
    if (!LastEvaluatedKey) break;
    start = { ExclusiveStartKey: LastEvaluatedKey };
  }
  return names.sort();
}

async function isThere(read: Promise<unknown>): Promise<boolean> {
  return (await orNothing(read)) !== undefined;
}

/** @returns undefined where what was asked for is not there */
async function orNothing<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
    throw error;
  }
}
