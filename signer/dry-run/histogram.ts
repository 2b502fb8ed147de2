/** Latencies in a bounded space: counts by upper bound. Pure. */

/** ms. The last one stands for all above. */
export const boundsMs = [
  1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2500,
];

export type Histogram = readonly number[];
export const emptyHistogram: Histogram = boundsMs.map(() => 0);

export function withSample(histogram: Histogram, ms: number): Histogram {
  const found = boundsMs.findIndex((bound) => ms <= bound);
  const index = found < 0 ? boundsMs.length - 1 : found;
  return histogram.map((count, at) => (at === index ? count + 1 : count));
}

/** @returns ms within which `share` (0 to 1) of the samples were; undefined where there are none. */
export function percentileMs(histogram: Histogram, share: number): number | undefined {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let seen = 0;
  for (const [index, count] of histogram.entries()) {
    seen += count;
    if (seen >= total * share) return boundsMs[index];
  }
  return boundsMs.at(-1);
}
