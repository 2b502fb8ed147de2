/** The name of an overlay's content, by which pilot and Commander tell whether it is in force. */

import { createHash } from 'node:crypto';
import type { Overlay, OverlayValue } from './shadows.ts';

type Json = OverlayValue | null | undefined;

/** JSON with every object's keys in order, so that two writers of one content agree. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const parts = Object.entries(value)
    .filter(([, part]) => part !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, part]) => `${JSON.stringify(key)}:${canonical(part)}`);
  return `{${parts.join(',')}}`;
}

/**
 * First 16 hex digits of SHA-256 over the canonical JSON of the `gaiad` shadow's `desired.config`
 * (`{}` where there is none). The pilot reports it as `overlay` and `lastGood`.
 */
export function overlayHash(config: Overlay | undefined): string {
  return createHash('sha256')
    .update(canonical(config ?? {}))
    .digest('hex')
    .slice(0, 16);
}
