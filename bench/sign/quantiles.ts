/** Quantiles of measured times, and of a Prometheus histogram. */

export interface Quantiles {
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

const rounded = (ms: number) => Math.round(ms * 1000) / 1000;

export function quantiles(times: readonly number[]): Quantiles {
  const sorted = [...times].sort((a, b) => a - b);
  // The nearest rank: a value that was measured.
  const at = (share: number) =>
    rounded(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN);
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

export interface StageTimes {
  count: number;
  meanMs: number;
  /** By straight lines within a bucket, as Prometheus' `histogram_quantile` does. */
  p50Ms: number;
  p90Ms: number;
  p99Ms: number;
}

interface Cumulative {
  buckets: { le: number; count: number }[];
  sum: number;
  count: number;
}

/** What the stages took between two scrapes of a signer's metrics. */
export function stagesBetween(before: string, after: string): Record<string, StageTimes> {
  const [from, to] = [parse(before), parse(after)];
  return Object.fromEntries(
    [...to].map(([stage, { buckets, sum, count }]) => {
      const earlier = from.get(stage);
      const counted = count - (earlier?.count ?? 0);
      const risen = buckets.map(({ le, count: total }, index) => ({
        le,
        count: total - (earlier?.buckets[index]?.count ?? 0),
      }));
      return [
        stage,
        {
          count: counted,
          meanMs: rounded(((sum - (earlier?.sum ?? 0)) / counted) * 1000),
          p50Ms: quantile(risen, counted, 0.5),
          p90Ms: quantile(risen, counted, 0.9),
          p99Ms: quantile(risen, counted, 0.99),
        },
      ];
    }),
  );
}

/** How many of a stage's times were at most this long: exact, as `ms` must be a bound of the histogram's. @throws where it is none */
export function shareWithin(before: string, after: string, stage: string, ms: number): number {
  const [from, to] = [parse(before).get(stage), parse(after).get(stage)];
  const within = (of: Cumulative | undefined) => of?.buckets.find(({ le }) => le === ms / 1000)?.count;
  const counted = within(to);
  if (!to || counted === undefined) throw new RangeError(`${ms} ms is no bound of the histogram of ${stage}`);
  return rounded((counted - (within(from) ?? 0)) / (to.count - (from?.count ?? 0)));
}

function quantile(buckets: Cumulative['buckets'], count: number, share: number): number {
  const rank = count * share;
  let below = { le: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank) {
      const within = bucket.count === below.count ? 1 : (rank - below.count) / (bucket.count - below.count);
      const upper = Number.isFinite(bucket.le) ? bucket.le : below.le;
      return rounded((below.le + (upper - below.le) * within) * 1000);
    }
    below = bucket;
  }
  return Number.NaN;
}

const sampleLine =
  /^beam_signer_stage_seconds_(bucket|sum|count)\{stage="([a-z]+)"(?:,le="([^"]+)")?\} (\S+)$/;

function parse(text: string): Map<string, Cumulative> {
  const stages = new Map<string, Cumulative>();
  for (const line of text.split('\n')) {
    const [, part, stage, le, value] = sampleLine.exec(line) ?? [];
    if (stage === undefined) continue;
    const found: Cumulative = stages.get(stage) ?? { buckets: [], sum: 0, count: 0 };
    stages.set(stage, found);
    if (part === 'bucket') {
      found.buckets.push({ le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), count: Number(value) });
    } else if (part === 'sum') found.sum = Number(value);
    else found.count = Number(value);
  }
  return stages;
}
