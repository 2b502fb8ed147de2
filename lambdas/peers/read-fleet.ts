/** Reads what the peers are derived from. Which servers a fleet has is the registry's to say: its thing group. */

import {
  type IoTClient,
  ListThingsInThingGroupCommand,
  ResourceNotFoundException,
} from '@aws-sdk/client-iot';
import * as z from 'zod';
import { isSilent } from '../../protocol/fleet-table.ts';
import type { FleetItems } from '../../protocol/fleet-table-dynamodb.ts';
import { parseThingName, thingGroupName } from '../../protocol/names.ts';
import { reportedGaiad, reportedStatus } from '../../protocol/shadows.ts';
import type { FleetTable } from '../aws/fleet-table.ts';
import { msSince } from '../aws/ms-since.ts';
import { inParallel, type Shadows } from '../aws/shadows.ts';
import type { SignTable } from '../aws/sign-table.ts';
import type { PeerNode, PeersView } from './core/plan.ts';

export interface Stores {
  iot: IoTClient;
  fleetTable: FleetTable;
  signTable: SignTable;
  shadows: Shadows;
}

const readWidth = 10;
const groupPagesMax = 10;
export async function readFleet(stores: Stores, fleet: string, now: number): Promise<PeersView> {
  const [things, items] = await Promise.all([thingsOf(stores.iot, fleet), stores.fleetTable.read(fleet)]);
  const { config, lastGrant } = items;
  const record =
    config?.recordKey === undefined ? undefined : await stores.signTable.record(config.recordKey);
  const holder = record?.state === 'read' ? record.record.holder : '';
  return {
    fleet,
    automaticFailover: config?.automaticFailover ?? false,
    sinceGrantMs: lastGrant && msSince(lastGrant.at, now),
    nodes: await inParallel(things, readWidth, (thing) =>
      readNode(stores.shadows, thing, items, holder, now),
    ),
  };
}

async function readNode(
  shadows: Shadows,
  thing: string,
  { nodes }: FleetItems,
  holder: string,
  now: number,
): Promise<PeerNode> {
  const [status, gaiad] = await Promise.all([shadows.get(thing, 'status'), shadows.get(thing, 'gaiad')]);
  const health = nodes.find(({ item }) => item === thing);

  return {
    thing,
    status: reportedStatus.safeParse(status?.reported).data,
    knownSince: idSince.safeParse(status?.metadata).data?.reported.nodeId.timestamp,
    gaiad: gaiad && {
      version: gaiad.version,
      config: z.object({ config: z.unknown() }).safeParse(gaiad.desired).data?.config,
      reported: reportedGaiad.safeParse(gaiad.reported).data,
    },
    active: thing === holder || health?.role === 'active',
    // Before its first health message a node that reports its status is starting.
    reachable: !health || (health.connected && !isSilent(health, now)),
  };
}

const idSince = z.object({ reported: z.object({ nodeId: z.object({ timestamp: z.number() }) }) });

async function thingsOf(iot: IoTClient, fleet: string): Promise<string[]> {
  const things: string[] = [];
  let nextToken: string | undefined;
  try {
    for (let page = 0; page < groupPagesMax; page++) {
      const answer = await iot.send(
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
    // Not registered here: nothing to derive.
    if (error instanceof ResourceNotFoundException) return [];
    throw error;
  }
  return things.filter((thing) => parseThingName(thing)?.fleet === fleet).sort();
}
