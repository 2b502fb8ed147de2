/** All that `decide` knows of a fleet: read in one go before each decision. */

import type { FleetConfig, FleetNode, LastFailover, LastGrant } from '../../../protocol/fleet-table.ts';
import type { NodeKind } from '../../../protocol/names.ts';
import type { DesiredRoleName, ReportedRoleState } from '../../../protocol/shadows.ts';
import type { BeatItem, SignRecord } from '../../../protocol/sign-record.ts';
import type { RoleRequestEvent } from '../../../protocol/topics.ts';

/** `desired` of a role shadow as it stands, whoever wrote it. */
export interface DesiredSeen {
  /** Undefined where what is written is no role. */
  role: DesiredRoleName | undefined;
  /** What is written, for messages. */
  written: string;
  /** Undefined where there is none; -1 where it is no epoch at all. */
  epoch: number | undefined;
}

export interface RoleShadow {
  version: number;
  /** Undefined where the shadow has no desired role. */
  desired: DesiredSeen | undefined;
  /** ms, in whole seconds: when the desired role was last written, by the shadow's metadata. */
  desiredAt: number | undefined;
  /** It says why an edit was put back. */
  explained: boolean;
  reported: ReportedRoleState | undefined;
}

export interface NodeView {
  thing: string;
  /** Its last health message; undefined where none came yet. */
  health: FleetNode | undefined;
  /** Undefined where the thing has no role shadow. */
  shadow: RoleShadow | undefined;
}

export type RecordView =
  /** The fleet's configuration names no record. */
  | { state: 'not-configured' }
  | { state: 'missing'; key: string }
  | { state: 'malformed'; key: string; fault: string }
  | { state: 'read'; record: SignRecord };

export interface FleetView {
  fleet: string;
  config: FleetConfig | undefined;
  record: RecordView;
  /** Read for role requests. */
  beat: BeatItem | undefined;
  lastGrant: LastGrant | undefined;
  lastFailover: LastFailover | undefined;
  nodes: NodeView[];
}

export type Trigger =
  /** A standby asks. `receivedAt`: ms, the cloud's clock. */
  | { kind: 'request'; request: RoleRequestEvent; receivedAt: number }
  /** A role shadow changed, or was deleted. */
  | {
      kind: 'documents';
      thing: string;
      receivedAt: number;
      /** Commander's own write. */
      own: boolean;
      /** The desired role was written, be it with what it was (told by its metadata, in whole seconds). */
      touched: boolean;
      before: DesiredSeen | undefined;
      after: DesiredSeen | undefined;
    }
  | { kind: 'sweep' };

export function kindOf({ health, shadow }: NodeView): NodeKind | undefined {
  if (health) return health.kind;
  if (!shadow?.reported) return undefined;
  return shadow.reported.role === 'sentry' ? 'sentry' : 'validator';
}

/** Who reigns by the record. */
export interface Reign {
  recordId: string;
  epoch: number;
  /** Empty before the first claim. */
  holder: string;
  grantEpoch: number;
  /** A grant that nobody claimed yet; one to nobody was called back and is none. */
  pending: { to: string; epoch: number } | undefined;
}

export function reignOf({ recordId, epoch, holder, grantEpoch, grantTo }: SignRecord): Reign {
  const open = grantEpoch > epoch && grantTo !== '';
  return {
    recordId,
    epoch,
    holder,
    grantEpoch,
    pending: open ? { to: grantTo, epoch: grantEpoch } : undefined,
  };
}

/** Who should sign: the granted one, else the holder, else nobody. */
export function intended({ pending, holder }: Reign): string {
  return pending?.to ?? holder;
}

const defaultBlockSeconds = 6;
const unclaimedMsBounds = { min: 3_000, max: 60_000 };

/** A grant that nobody claimed for three blocks passes on (design, section 4). */
export function unclaimedMsMax(nodes: readonly NodeView[]): number {
  const { min, max } = unclaimedMsBounds;
  return Math.min(max, Math.max(min, 3 * 1000 * blockSeconds(nodes)));
}

/** Median of what the nodes measure. */
export function blockSeconds(nodes: readonly NodeView[]): number {
  const measured = nodes
    .map(({ health }) => health?.gaiad.blockSeconds)
    .filter((seconds) => seconds !== undefined && seconds > 0)
    .sort((a = 0, b = 0) => a - b);
  return measured[measured.length >> 1] ?? defaultBlockSeconds;
}
