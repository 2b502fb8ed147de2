/** Fleets for the tests of the decider: what differs from a healthy one is said, the rest filled in. */

import type { FleetNode } from '../../../protocol/fleet-table.ts';
import type { DesiredRoleName, ReportedRole } from '../../../protocol/shadows.ts';
import type { SignRecord } from '../../../protocol/sign-record.ts';
import type { RoleRequestEvent } from '../../../protocol/topics.ts';
import { desiredSeen } from '../events.ts';
import type { FleetView, NodeView, Trigger } from './fleet.ts';

export const now = 1_000_000;
export const recordKey = 'beam-1/AA';
export const recordId = 'record-0001';

export function sampleRecord(some: Partial<SignRecord> = {}): SignRecord {
  return {
    key: recordKey,
    recordId,
    epoch: 1,
    holder: 'demo_a',
    incarnation: 'x',
    grantEpoch: 1,
    grantTo: 'demo_a',
    height: 100,
    round: 0,
    step: 3,
    signBytes: '',
    timestamp: '',
    lockHeight: 0,
    lockBlock: '',
    lockEpoch: 0,
    attempt: '',
    ...some,
  };
}

export function sampleHealth(thing: string, some: Partial<FleetNode> = {}): FleetNode {
  const kind = some.kind ?? 'validator';
  return {
    fleet: 'demo',
    item: thing,
    bootId: 'boot',
    seq: 1,
    at: now,
    receivedAt: now - 1000,
    connected: true,
    kind,
    role: 'standby',
    epoch: 1,
    gaiad: { state: 'running', height: 100, catchingUp: false, blockSeconds: 2 },
    ...(kind === 'validator'
      ? { signer: { state: 'standby', address: 'AA', recordKey, recordId, epoch: 1, height: 99 } }
      : {}),
    ...some,
  };
}

export interface SampleNode {
  /** Undefined: no desired role. */
  desired?: { role?: unknown; epoch?: unknown } | undefined;
  reported?: ReportedRole | undefined;
  health?: Partial<FleetNode> | 'none';
  noShadow?: boolean;
  /** ms; long ago where left out. */
  desiredAt?: number;
  explained?: boolean;
}

export function sampleNode(thing: string, some: SampleNode = {}): NodeView {
  const health = some.health === 'none' ? undefined : sampleHealth(thing, some.health);
  const role = some.reported ?? (health?.kind === 'sentry' ? 'sentry' : 'standby');
  return {
    thing,
    health,
    shadow: some.noShadow
      ? undefined
      : {
          version: 7,
          desired: desiredSeen('desired' in some ? some.desired : { role: 'standby', epoch: 1 }),
          desiredAt: some.desiredAt ?? now - 3_600_000,
          explained: some.explained ?? false,
          reported: { role, epoch: 1, since: '', reason: '' },
        },
  };
}

const active = (epoch: number): SampleNode => ({
  desired: { role: 'active', epoch },
  reported: 'active',
  health: {
    role: 'active',
    signer: { state: 'active', address: 'AA', recordKey, recordId, epoch: 1, height: 99 },
  },
});

/** Active `a`, standby `b` (another zone: `c`), sentry `s`. */
export function sampleFleet(
  nodes: Record<string, SampleNode> = {},
  some: Omit<Partial<FleetView>, 'record'> & { record?: Partial<SignRecord> | FleetView['record'] } = {},
): FleetView {
  const all: Record<string, SampleNode> = {
    a: active(1),
    b: {},
    s: { desired: { role: 'sentry' }, health: { kind: 'sentry', role: 'sentry' } },
    ...nodes,
  };
  const { record, ...rest } = some;
  return {
    fleet: 'demo',
    config: { fleet: 'demo', item: '#config', recordKey, automaticFailover: true, cooldownSeconds: 60 },
    beat: undefined,
    lastGrant: {
      fleet: 'demo',
      item: '#grant',
      recordId,
      epoch: 1,
      to: 'demo_a',
      from: '',
      fromEpoch: 0,
      at: now - 600_000,
      by: 'operator',
      reason: '',
    },
    lastFailover: undefined,
    nodes: Object.entries(all).map(([name, node]) => sampleNode(`demo_${name}`, node)),
    ...rest,
    record:
      record && 'state' in record
        ? record
        : { state: 'read', record: sampleRecord(record as Partial<SignRecord>) },
  };
}

export function request(some: Partial<RoleRequestEvent> = {}, receivedAt = now - 10): Trigger {
  return {
    kind: 'request',
    receivedAt,
    request: {
      v: 1,
      thing: 'demo_b',
      bootId: 'boot',
      seq: 5,
      at: now,
      reason: 'beat-still',
      recordId,
      epoch: 1,
      holder: 'demo_a',
      height: 100,
      nodeHeight: 101,
      ...some,
    },
  };
}

export function edit(
  thing: string,
  before: DesiredRoleName | undefined,
  after: { role?: unknown; epoch?: unknown } | undefined,
  receivedAt = now - 10,
): Extract<Trigger, { kind: 'documents' }> {
  return {
    kind: 'documents',
    thing,
    receivedAt,
    own: false,
    touched: false,
    before: before && desiredSeen({ role: before, epoch: 1 }),
    after: desiredSeen(after),
  };
}

export const sweep: Trigger = { kind: 'sweep' };
