/** `lambdas/manifest.json`: every Lambda function with its limits, rights and schedules. Read by the local cloud and by Terraform. */

import * as z from 'zod';

/** Of every function on AWS: what bundles are built for is what this has, or older. */
export const lambdaRuntime = 'nodejs22.x';

/** Before every function, schedule, topic and queue of Beam's own, on AWS and on the local cloud alike. */
export const resourcePrefix = 'beam-';

/** What a function (or a schedule) of the manifest is called where it is deployed. */
export const functionName = (nameInManifest: string) => `${resourcePrefix}${nameInManifest}`;

const name = z.string().regex(/^[a-z0-9-]{1,40}$/, 'must be 1 to 40 of a-z, 0-9 and -');

const rateUnitMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/**
 * The period of EventBridge's `rate(1 minute)`, `rate(5 minutes)`, in ms. A value of 1 takes the singular, others the plural
 * (EventBridge refuses the rest).
 * @returns undefined where it is no rate.
 */
export function rateMs(expression: string): number | undefined {
  const match = /^rate\(([1-9]\d{0,4}) (minute|hour|day)(s?)\)$/.exec(expression);
  if (!match) return undefined;
  const [, count, unit, plural] = match;
  if ((count === '1') === (plural === 's')) return undefined;
  return Number(count) * rateUnitMs[unit as keyof typeof rateUnitMs];
}

export const lambdaSchedule = z.strictObject({
  name,
  expression: z
    .string()
    .refine(
      (text) => rateMs(text) !== undefined,
      'must be like rate(1 minute), rate(5 minutes), rate(2 hours)',
    ),
  /** The event that the function gets; left out: `{"source":"beam.schedule","schedule":<name>}`. */
  input: z.record(z.string(), z.json()).optional(),
});
export type LambdaSchedule = z.infer<typeof lambdaSchedule>;

/** What a schedule's function is invoked with. */
export function scheduleEvent(schedule: LambdaSchedule): Record<string, z.core.util.JSONType> {
  return schedule.input ?? { source: 'beam.schedule', schedule: schedule.name };
}

/** One statement of the function's role. */
export const lambdaStatement = z.strictObject({
  actions: z.array(z.string().regex(/^[a-z0-9-]+:[A-Za-z*]+$/, 'must be like dynamodb:GetItem')).min(1),
  resource: z.string().min(1),
  /** IAM's Condition block: operator → key → values. */
  condition: z
    .record(z.string(), z.record(z.string(), z.union([z.string(), z.array(z.string())])))
    .optional(),
});

export const lambdaFunction = z.strictObject({
  name,
  /** Source below `lambdas/`; the bundle is `lambdas/<name>/index.cjs`. */
  entry: z.string().regex(/^[a-z0-9-]+(\/[a-z0-9-]+)*\.ts$/, 'must be a TypeScript file below lambdas/'),
  /** The export that is called with (event, context). */
  handler: z.string().regex(/^[A-Za-z_$][\w$]*$/, 'must be the name of an export'),
  timeoutSeconds: z.number().int().min(1).max(900),
  memoryMb: z.number().int().min(128).max(10_240),
  /** Invocations at a time; others queue in order. */
  reservedConcurrency: z.number().int().min(1).max(100).default(1),
  environment: z
    .record(
      z.string().regex(/^(?!AWS_|LAMBDA_)[A-Za-z]\w*$/, 'must be a name that AWS does not reserve'),
      z.string().max(1024),
    )
    .default({}),
  iam: z.array(lambdaStatement).default([]),
  schedules: z.array(lambdaSchedule).default([]),
});
export type LambdaFunction = z.infer<typeof lambdaFunction>;

const unique = (values: string[]) => new Set(values).size === values.length;

export const lambdaManifest = z.strictObject({
  functions: z
    .array(lambdaFunction)
    .refine((functions) => unique(functions.map((each) => each.name)), 'two functions have one name')
    .refine(
      (functions) => unique(functions.flatMap((each) => each.schedules.map((schedule) => schedule.name))),
      'two schedules have one name',
    ),
});
export type LambdaManifest = z.infer<typeof lambdaManifest>;

/** @throws naming every place that is wrong, where the manifest is not one. */
export function parseLambdaManifest(value: unknown): LambdaManifest {
  const result = lambdaManifest.safeParse(value);
  if (!result.success) throw new Error(`lambdas/manifest.json is wrong:\n${z.prettifyError(result.error)}`);
  return result.data;
}
