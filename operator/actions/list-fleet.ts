/** What an operator sees of a fleet: the registry, the fleet table, the record and the role shadows in one. */

import { type FleetConfig, type FleetNode, isSilent, type LastFailover } from '../../protocol/fleet-table.ts';
import { type NodeKind, parseThingName } from '../../protocol/names.ts';
import { reportedRoleState, type ShadowName, shadowNames } from '../../protocol/shadows.ts';
import type { SignRecord } from '../../protocol/sign-record.ts';
import type { Stage } from '../../protocol/stages.ts';
import { InvalidInputError } from './errors.ts';
import type { Operator } from './operator.ts';
import {
  checkedFleetName,
  fleetNames,
  readFleetItems,
  readSignRecord,
  registeredThings,
  unknownFleet,
} from './read-fleet.ts';
import { type Json, readShadow, type ShadowState } from './shadow-document.ts';

export interface NodeSummary {
  thing: string;
  node: string;
  kind: NodeKind | null;
  zone: string | null;
  registered: boolean;
  connected: boolean;
  /** ms since its last health message; null: none came yet. */
  healthAgeMs: number | null;
  /** Nothing was heard of it for so long that the rest is old news. */
  silent: boolean;
  /** As its pilot reports it. */
  role: string | null;
  epoch: number | null;
  desiredRole: string | null;
  /** Commander's word on a refused edit. */
  reason: string | null;
  gaiad: string | null;
  height: number | null;
  catchingUp: boolean | null;
  peers: number | null;
  signer: string | null;
  /** Of the last blocks, as this node sees the chain. */
  missed: { missed: number; of: number; total: number } | null;
  /** How far Beam is trusted with it: in "sign" alone it can get the role. */
  mode: Stage | null;
  /** The sign record names it. */
  holder: boolean;
}

export interface FleetSummary {
  fleet: string;
  config: Pick<FleetConfig, 'recordKey' | 'automaticFailover' | 'cooldownSeconds'> | null;
  record: Pick<
    SignRecord,
    'key' | 'recordId' | 'epoch' | 'holder' | 'grantEpoch' | 'grantTo' | 'height' | 'round' | 'step'
  > | null;
  lastFailover: Omit<LastFailover, 'fleet' | 'item'> | null;
  nodes: NodeSummary[];
}

export { fleetNames as listFleets };

/** @throws InvalidInputError where there is no such fleet. */
export async function listFleet(operator: Operator, name: string): Promise<FleetSummary> {
  const fleet = checkedFleetName(name);
  const [things, items] = await Promise.all([
    registeredThings(operator, fleet),
    readFleetItems(operator, fleet),
  ]);
  const { config, lastFailover, nodes } = items;
  const all = [...new Set([...things, ...nodes.map(({ item }) => item)])].sort();
  if (all.length === 0 && !config) await unknownFleet(operator, fleet);
  const [record, summaries] = await Promise.all([
    config?.recordKey === undefined ? undefined : readSignRecord(operator, config.recordKey),
    Promise.all(
      all.map(async (thing) =>
        summary(
          thing,
          things.includes(thing),
          nodes.find(({ item }) => item === thing),
          await readShadow(operator, thing, 'role'),
          operator.clock.now(),
        ),
      ),
    ),
  ]);
  return {
    fleet,
    config: config ? pick(config, ['recordKey', 'automaticFailover', 'cooldownSeconds']) : null,
    record: record
      ? pick(record, [
          'key',
          'recordId',
          'epoch',
          'holder',
          'grantEpoch',
          'grantTo',
          'height',
          'round',
          'step',
        ])
      : null,
    lastFailover: lastFailover ? pick(lastFailover, ['at', 'epoch', 'from', 'to', 'reason']) : null,
    nodes: summaries.map((node) => ({ ...node, holder: record?.holder === node.thing })),
  };
}

export interface NodeDetail extends NodeSummary {
  health: FleetNode | null;
  shadows: Record<ShadowName, ShadowState | null>;
}

/** @param thing `<fleet>_<node>` @throws InvalidInputError where there is no such node. */
export async function showNode(operator: Operator, thing: string): Promise<NodeDetail> {
  const named = parseThingName(thing);
  if (!named) {
    throw new InvalidInputError(
      `${JSON.stringify(thing)} is no node: name it as <fleet>_<node>, as in demo_a`,
    );
  }
  const { nodes } = await listFleet(operator, named.fleet);
  const found = nodes.find((node) => node.thing === thing);
  if (!found) {
    const names = nodes.map((node) => node.node).join(', ');
    throw new InvalidInputError(`fleet ${named.fleet} has no node ${named.node}: it has ${names || 'none'}`);
  }
  const [items, ...states] = await Promise.all([
    readFleetItems(operator, named.fleet),
    ...shadowNames.map((shadow) => readShadow(operator, thing, shadow)),
  ]);
  const [role, gaiad, status] = states.map((state) => state ?? null);
  return {
    ...found,
    health: items.nodes.find(({ item }) => item === thing) ?? null,
    shadows: { role: role ?? null, gaiad: gaiad ?? null, status: status ?? null },
  };
}

function summary(
  thing: string,
  registered: boolean,
  health: FleetNode | undefined,
  role: ShadowState | undefined,
  now: number,
): NodeSummary {
  const reported = reportedRoleState.safeParse(role?.reported).data;
  const { signing, gaiad } = health ?? {};
  return {
    thing,
    node: parseThingName(thing)?.node ?? thing,
    kind: health?.kind ?? null,
    zone: health?.zone ?? null,
    mode: health ? (health.mode ?? 'sign') : null,
    registered,
    connected: health?.connected ?? false,
    healthAgeMs: health ? Math.max(0, now - health.receivedAt) : null,
    silent: !health || isSilent(health, now),
    role: reported?.role ?? health?.role ?? null,
    epoch: reported?.epoch ?? health?.epoch ?? null,
    desiredRole: text(role?.desired, 'role'),
    reason: text(role?.desired, 'reason'),
    gaiad: gaiad?.state ?? null,
    height: gaiad?.height ?? null,
    catchingUp: gaiad?.catchingUp ?? null,
    peers: gaiad?.peers ?? null,
    signer: health?.signer?.state ?? null,
    missed: signing ? { missed: signing.missed, of: signing.of, total: signing.missedTotal } : null,
    holder: false,
  };
}

/** A member of `desired` for people to read, whatever was written there. */
export function text(desired: Json | undefined, member: string): string | null {
  if (typeof desired !== 'object' || desired === null || Array.isArray(desired)) return null;
  const value = desired[member];
  return value === undefined || value === null
    ? null
    : typeof value === 'string'
      ? value
      : JSON.stringify(value);
}

function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(
    keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])),
  ) as Pick<T, K>;
}
