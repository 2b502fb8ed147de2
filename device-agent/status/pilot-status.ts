/** What `/status` answers, and `beam status` reads. */

import * as z from 'zod';
import { type DesiredRole, desiredRole, reportedGaiad, reportedRoleState } from '../../protocol/shadows.ts';
import { signerStatus } from '../../protocol/signer-control.ts';
import { stage } from '../../protocol/stages.ts';
import type { Trouble } from '../alerts/plan-alerts.ts';
import { blockSeconds } from '../chain/chain-view.ts';
import type { Seen } from '../health/reports.ts';
import { beamVersion } from '../home/version.ts';

export const pilotStatus = z.object({
  thing: z.string(),
  fleet: z.string(),
  node: z.string(),
  kind: z.string(),
  mode: stage,
  version: z.string(),
  pid: z.number().int(),
  cloud: z.union([
    z.object({ connected: z.boolean(), queued: z.number().int(), reason: z.string().nullable() }),
    z.string(),
  ]),
  role: reportedRoleState,
  desiredRole: desiredRole.nullable(),
  gaiad: reportedGaiad.extend({
    pid: z.number().int().nullable(),
    waitsFor: z.string().nullable(),
    height: z.number().int(),
    catchingUp: z.boolean().nullable(),
    peers: z.number().int().nullable(),
    blockSeconds: z.number().nullable(),
  }),
  signing: z.object({ missedTotal: z.number().int(), lastSignedHeight: z.number().int().nullable() }),
  signer: z.object({ up: z.boolean(), status: signerStatus.nullable() }).nullable(),
  troubles: z.array(z.object({ kind: z.string(), severity: z.string(), text: z.string() })),
});
export type PilotStatus = z.infer<typeof pilotStatus>;

export interface StatusParts {
  seen: Omit<Seen, 'load'>;
  cloud: PilotStatus['cloud'];
  desiredRole: DesiredRole | undefined;
  gaiadPid: number | undefined;
  waitsFor: string | undefined;
  troubles: readonly Trouble[];
}

export function statusOf({
  seen,
  cloud,
  desiredRole: wanted,
  gaiadPid,
  waitsFor,
  troubles,
}: StatusParts): PilotStatus {
  const { home, role, gaiad, chain, node, signer } = seen;
  return {
    thing: home.thing,
    ...home.node,
    mode: home.config.mode,
    version: beamVersion,
    pid: process.pid,
    cloud,
    role,
    desiredRole: wanted ?? null,
    gaiad: {
      ...gaiad,
      pid: gaiadPid ?? null,
      waitsFor: waitsFor ?? null,
      height: chain.height,
      catchingUp: node.status?.sync_info.catching_up ?? null,
      peers: node.peers ?? null,
      blockSeconds: blockSeconds(chain) ?? null,
    },
    signing: { missedTotal: chain.missedTotal, lastSignedHeight: chain.lastSignedHeight ?? null },
    signer: signer ? { up: signer.up, status: signer.status ?? null } : null,
    troubles: [...troubles],
  };
}
