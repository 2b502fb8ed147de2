/** Reads all that a decision needs. The table comes first: what it says of the record is never newer than the record. */

import { reportedRoleState } from '../../protocol/shadows.ts';
import type { FleetTable } from '../aws/fleet-table.ts';
import { inParallel, type Shadows } from '../aws/shadows.ts';
import type { SignTable } from '../aws/sign-table.ts';
import type { FleetView, NodeView, RoleShadow, Trigger } from './core/fleet.ts';
import { desiredSeen, isExplained, roleWrittenAt } from './events.ts';

/** Things whose shadows are read at a time. */
const readWidth = 10;

export interface Stores {
  fleetTable: FleetTable;
  signTable: SignTable;
  shadows: Shadows;
}

export async function readFleet(stores: Stores, fleet: string, trigger: Trigger): Promise<FleetView> {
  const { fleetTable, signTable, shadows } = stores;
  const { config, lastGrant, lastFailover, nodes } = await fleetTable.read(fleet);
  const key = config?.recordKey;
  const things = nodes
    // A request is urgent, and no sentry can answer it.
    .filter(({ kind }) => trigger.kind !== 'request' || kind === 'validator')
    .map(({ item }) => item);
  const asking = trigger.kind === 'request' ? trigger.request : undefined;
  if (trigger.kind === 'documents' && !things.includes(trigger.thing)) things.push(trigger.thing);
  const [record, beat, views] = await Promise.all([
    key === undefined ? { state: 'not-configured' as const } : signTable.record(key),
    key === undefined || asking === undefined ? undefined : signTable.beat(key, asking.recordId),
    inParallel(
      things,
      readWidth,
      async (thing): Promise<NodeView> => ({
        thing,
        health: nodes.find(({ item }) => item === thing),
        shadow: await readRole(shadows, thing),
      }),
    ),
  ]);
  return { fleet, config, record, beat, lastGrant, lastFailover, nodes: views };
}

async function readRole(shadows: Shadows, thing: string): Promise<RoleShadow | undefined> {
  const found = await shadows.get(thing, 'role');
  if (!found) return undefined;
  return {
    version: found.version,
    desired: desiredSeen(found.desired),
    desiredAt: roleWrittenAt(found.metadata),
    explained: isExplained(found.desired),
    reported: reportedRoleState.safeParse(found.reported).data,
  };
}
