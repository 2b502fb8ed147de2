/** The named shadows of each thing (design, section 3), parsed once at each edge. */

import * as z from 'zod';
import { stage } from './stages.ts';

export const shadowNames = ['role', 'gaiad', 'status'] as const;
export type ShadowName = (typeof shadowNames)[number];

/** desired + reported of one shadow, without metadata: AWS refuses more. */
export const shadowBytesMax = 8192;

export const desiredRoleName = z.enum(['active', 'standby', 'sentry', 'maintenance']);
export type DesiredRoleName = z.infer<typeof desiredRoleName>;
export const reportedRole = z.enum(['active', 'standby', 'sentry', 'maintenance', 'fenced']);
export type ReportedRole = z.infer<typeof reportedRole>;

/** `role` desired, written by Commander; an operator's edit is a request, whatever `epoch` it carries. */
export const desiredRole = z.object({
  role: desiredRoleName,
  epoch: z.number().int().nonnegative().optional(),
  /** Commander's word to the operator: why an edit was put back. */
  reason: z.string().max(300).optional(),
});
export type DesiredRole = z.infer<typeof desiredRole>;

export const reportedRoleState = z.object({
  role: reportedRole,
  epoch: z.number().int().nonnegative(),
  /** ISO time since which the role is held. */
  since: z.string().max(40),
  reason: z.string().max(300),
});
export type ReportedRoleState = z.infer<typeof reportedRoleState>;

const tomlScalar = z.union([z.string().max(4096), z.number(), z.boolean()]);
/** A TOML value of an overlay: scalars, arrays of scalars, tables. */
export type OverlayValue = string | number | boolean | OverlayValue[] | { [key: string]: OverlayValue };
export const overlayValue: z.ZodType<OverlayValue> = z.lazy(() =>
  z.union([tomlScalar, z.array(overlayValue).max(256), z.record(z.string().max(128), overlayValue)]),
);
export const overlay = z.object({
  'config.toml': z.record(z.string().max(128), overlayValue).optional(),
  'app.toml': z.record(z.string().max(128), overlayValue).optional(),
});
export type Overlay = z.infer<typeof overlay>;

export const desiredGaiad = z.object({
  config: overlay.optional(),
  run: z.enum(['running', 'stopped']).optional(),
});
export type DesiredGaiad = z.infer<typeof desiredGaiad>;

export const rejectedSetting = z.object({
  path: z.string().max(256),
  value: z.json(),
  reason: z.string().max(300),
});
export type RejectedSetting = z.infer<typeof rejectedSetting>;

export const reportedGaiad = z.object({
  /** `overlayHash` (overlay-hash.ts) of the `desired.config` that is in force. */
  overlay: z.string().max(64),
  lastGood: z.string().max(64),
  state: z.enum(['starting', 'running', 'stopped', 'failed', 'unresponsive']),
  rejected: z.array(rejectedSetting).max(20),
});
export type ReportedGaiad = z.infer<typeof reportedGaiad>;

export const reportedStatus = z.object({
  nodeId: z.string().max(64),
  /** host:port that other nodes of the fleet dial. */
  p2p: z.string().max(256),
  rpc: z.string().max(256),
  kind: z.enum(['validator', 'sentry']),
  zone: z.string().max(64).optional(),
  /** Left out by pilots from before there were stages: `sign`. */
  mode: stage.optional(),
  chainId: z.string().max(64),
  versions: z.object({ beam: z.string().max(64), node: z.string().max(64), chain: z.string().max(128) }),
  catchingUp: z.boolean(),
  /**
   * `id@host:port` of `p2p.persistent_peers` in the operator's own config.toml, without any overlay. Commander keeps them on
   * a sentry beside the validators that it adds; where they are not reported, it leaves a sentry's `persistent_peers` alone.
   */
  outsidePeers: z.array(z.string().max(320)).max(16).optional(),
  minute: z
    .object({
      at: z.number().int(),
      height: z.number().int().nonnegative(),
      peers: z.number().int().nonnegative(),
      load1: z.number().nonnegative(),
      lastSignedHeight: z.number().int().nonnegative().optional(),
    })
    .optional(),
});
export type ReportedStatus = z.infer<typeof reportedStatus>;

/** Topics of a named shadow. */
export function shadowTopic(thing: string, shadow: ShadowName, tail: string): string {
  return `$aws/things/${thing}/shadow/name/${shadow}/${tail}`;
}

/** What `update/documents` carries; IoT rules hand it to Commander with the thing's name beside it. */
export function shadowDocuments<D extends z.ZodType, R extends z.ZodType>(desired: D, reported: R) {
  const side = z.object({
    state: z.object({ desired: desired.optional(), reported: reported.optional() }).optional(),
    version: z.number().int().optional(),
  });
  return z.object({
    previous: side.optional(),
    current: side,
    timestamp: z.number().optional(),
    clientToken: z.string().optional(),
  });
}
