/** What a soak's faults and checks work on: the fleet as a drill sees it, its network, and who holds the role. */

import type { SignRecord } from '../../protocol/sign-record.ts';
import type { DrillFleet } from '../drill/drill-fleet.ts';
import type { FleetNetwork } from '../network/fleet-network.ts';
import type { FleetServer } from '../nodes/fleet-server.ts';
import type { SafetyCheck } from './checks.ts';
import type { PlannedFault } from './schedule.ts';

export interface SoakFleet {
  drill: DrillFleet;
  network: FleetNetwork;
  checks: SafetyCheck;
  /** The `beam` command. */
  beam: readonly string[];
  pilot: readonly string[];
  signer: readonly string[];
  /** Folders of clones. */
  clones: string;
  /** The role's holder when the record was last read. */
  holder: string;
  /** The record as it was in each epoch, the newest last. */
  recordHistory: SignRecord[];
  /** Critical alerts since the soak began. */
  alerts: string[];
  /** How many clones took the right to sign over from their originals. */
  clonesThatSigned: number;
  say(line: string): void;
  signal: AbortSignal;
}

const historyMax = 20;

/** Reads the record, where that can be done now; keeps who holds the role, and a copy of each epoch. */
export async function noteRecord(soak: SoakFleet): Promise<SignRecord | undefined> {
  const record = await soak.drill.record().catch(() => undefined);
  if (!record) return undefined;
  if (record.holder !== '') soak.holder = record.holder;
  const known = soak.recordHistory.some(
    ({ recordId, epoch }) => recordId === record.recordId && epoch === record.epoch,
  );
  if (!known) soak.recordHistory = [...soak.recordHistory, record].slice(-historyMax);
  return record;
}

export function serverFor(soak: SoakFleet, target: PlannedFault['target']): FleetServer {
  const active = soak.drill.serverOf(soak.holder);
  if (target === 'active') return active;
  const standbys = soak.drill.validators.filter((server) => server !== active);
  // By the record's epoch, so that each standby has its turn.
  const standby = standbys[(soak.recordHistory.at(-1)?.epoch ?? 0) % Math.max(1, standbys.length)];
  return standby ?? active;
}
