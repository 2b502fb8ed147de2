/** Measured figures as a distribution. Pure. */

export interface Distribution {
  /** As measured, in order of time. */
  each: number[];
  median: number;
  p95: number;
  max: number;
}

/** Percentiles by the nearest rank: a figure that was measured, never one between two. */
export function distributionOf(each: readonly number[]): Distribution | undefined {
  if (each.length === 0) return undefined;
  const sorted = [...each].sort((a, b) => a - b);
  const atRank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { each: [...each], median: atRank(0.5), p95: atRank(0.95), max: atRank(1) };
}
