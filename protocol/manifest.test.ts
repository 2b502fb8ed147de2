import { expect, test } from '@jest/globals';
import { parseLambdaManifest, rateMs, scheduleEvent } from './manifest.ts';

const roles = {
  name: 'roles',
  entry: 'roles/index.ts',
  handler: 'handler',
  timeoutSeconds: 10,
  memoryMb: 256,
  environment: { SIGN_TABLE: 'beam-sign' },
  iam: [{ actions: ['dynamodb:GetItem'], resource: 'table/beam-sign' }],
  schedules: [{ name: 'sweep', expression: 'rate(1 minute)', input: { kind: 'sweep' } }],
};

test('a manifest is parsed, defaults filled in', () => {
  const { functions } = parseLambdaManifest({ functions: [roles] });
  expect(functions[0]).toMatchObject({ reservedConcurrency: 1, schedules: [{ input: { kind: 'sweep' } }] });
});

test('a schedule without input carries its name', () => {
  expect(scheduleEvent({ name: 'sweep', expression: 'rate(1 minute)' })).toEqual({
    source: 'beam.schedule',
    schedule: 'sweep',
  });
});

test('two functions of one name are refused', () => {
  expect(() => parseLambdaManifest({ functions: [roles, roles] })).toThrow(/two functions have one name/);
});

test('all that is wrong is reported at once, by place', () => {
  const wrong = {
    functions: [
      { ...roles, memoryMb: 1, layers: [], environment: { AWS_REGION: 'x' } },
      { ...roles, schedules: [{ name: 's', expression: 'cron(0 * * * ? *)' }] },
    ],
  };
  expect(() => parseLambdaManifest(wrong)).toThrow(
    /(?=.*memoryMb)(?=.*layers)(?=.*AWS_REGION)(?=.*schedules\[0\]\.expression)/s,
  );
});

test.each([
  ['rate(1 minute)', 60_000],
  ['rate(5 minutes)', 300_000],
  ['rate(1 hour)', 3_600_000],
  ['rate(2 days)', 172_800_000],
  ['rate(1 minutes)', undefined],
  ['rate(2 minute)', undefined],
  ['rate(0 minutes)', undefined],
  ['rate(5 seconds)', undefined],
  ['cron(* * * * ? *)', undefined],
])('%s is %p ms', (expression, ms) => {
  expect(rateMs(expression)).toBe(ms);
});
