/** The stages by which an operator comes to trust Beam with a server: `mode` in config.toml (docs/stages.md). */

import * as z from 'zod';

/** Each has all of the ones before it. */
export const stage = z.enum(['monitor', 'config', 'dry-run', 'sign']);
export type Stage = z.infer<typeof stage>;

interface StageFeatures {
  /** The pilot starts, stops and configures gaiad. Else it leaves process and files alone. */
  supervises: boolean;
  /** Who signs is Beam's: the pilot owns every `priv_validator_*` setting, and gaiad never signs by itself. */
  signs: boolean;
  /** A signer process runs beside gaiad. */
  hasSigner: boolean;
}

export const stageFeatures: Record<Stage, StageFeatures> = {
  monitor: { supervises: false, signs: false, hasSigner: false },
  config: { supervises: true, signs: false, hasSigner: false },
  'dry-run': { supervises: true, signs: false, hasSigner: true },
  sign: { supervises: true, signs: true, hasSigner: true },
};

/** What a pilot says at its start; undefined where nothing is off. */
export function whatIsOff(mode: Stage): string | undefined {
  switch (mode) {
    case 'monitor':
      return 'Off: gaiad is not started, stopped or configured, overlays are not applied, nothing of Beam signs, no role. On: machine, chain, health, alerts, the status agent';
    case 'config':
      return "Off: Beam's signer, roles and failover; who signs is as the operator set it up. On: gaiad's supervision, overlays, health, alerts, the status agent";
    case 'dry-run':
      return "Off: Beam's signature, roles and failover; who signs is as the operator set it up. On: gaiad's supervision, overlays, health, alerts, the status agent; a signer without a key compares what it would have signed with the chain (beam signer dry-run --report)";
    case 'sign':
      return undefined;
  }
}
