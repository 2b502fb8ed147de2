/** What the doctor says: one finding a check, each with what to do where something is to be done. */

/** `unknown`: it could not be looked at, which is no comfort. */
export type Level = 'well' | 'unknown' | 'warning' | 'critical';

export const checks = [
  'key',
  'copies',
  'permissions',
  'clock',
  'disk',
  'guard',
  'signer',
  'record',
  'node',
  'chain',
] as const;
export type Check = (typeof checks)[number];

export interface Finding {
  check: Check;
  level: Level;
  text: string;
  /** What to do; left out where all is well. */
  remedy?: string;
}

const order: Level[] = ['well', 'unknown', 'warning', 'critical'];

export function worst(findings: Finding[]): Level {
  return findings.reduce<Level>(
    (found, { level }) => (order.indexOf(level) > order.indexOf(found) ? level : found),
    'well',
  );
}

/** Of `values` in any order; NaN where there are none. */
export function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function spread(latenciesMs: number[]): string {
  const show = (share: number) => percentile(latenciesMs, share).toFixed(1);
  return `p50 ${show(0.5)} ms, p99 ${show(0.99)} ms, of ${latenciesMs.length}`;
}
