import { expect, test } from '@jest/globals';
import { nextTime, parseSchedule } from './schedule-expression.ts';

const at = (text: string) => Date.parse(`${text}Z`);
const next = (expression: string, after: string, anchor = '2026-01-01T00:00:30') => {
  const time = nextTime(parseSchedule(expression), at(anchor), at(after));
  return time === undefined ? undefined : new Date(time).toISOString().slice(0, 16);
};

test.each([
  ['rate(1 minute)', '2026-01-01T00:00:30', '2026-01-01T00:01'],
  ['rate(5 minutes)', '2026-01-01T00:07:00', '2026-01-01T00:10'],
  ['rate(1 day)', '2025-12-01T00:00:00', '2025-12-01T00:00'],
  ['cron(0 10 * * ? *)', '2026-11-27T10:00:00', '2026-11-28T10:00'],
  ['cron(15 12 * * ? *)', '2026-11-27T10:00:00', '2026-11-27T12:15'],
  ['cron(0 18 ? * MON-FRI *)', '2026-11-27T18:00:00', '2026-11-30T18:00'],
  ['cron(0 8 1 * ? *)', '2026-11-27T00:00:00', '2026-12-01T08:00'],
  ['cron(0/15 * * * ? *)', '2026-11-27T10:16:00', '2026-11-27T10:30'],
  ['cron(0/10 8-17/3 ? * 2-6 *)', '2026-11-27T14:55:00', '2026-11-27T17:00'],
  ['cron(0 0 L * ? *)', '2028-02-02T00:00:00', '2028-02-29T00:00'],
  ['cron(0 0 1W * ? *)', '2026-07-31T00:00:00', '2026-08-03T00:00'],
  ['cron(0 0 31W * ? *)', '2026-02-01T00:00:00', '2026-03-31T00:00'],
  ['cron(0 0 15W * ? *)', '2026-11-01T00:00:00', '2026-11-16T00:00'],
  ['cron(0 0 ? * 6L *)', '2026-11-01T00:00:00', '2026-11-27T00:00'],
  ['cron(0 0 ? * TUE#2 *)', '2026-11-11T00:00:00', '2026-12-08T00:00'],
  ['cron(0 0 29 FEB ? *)', '2026-11-11T00:00:00', '2028-02-29T00:00'],
  ['cron(0 0 1 1 ? 2027)', '2027-01-01T00:00:00', undefined],
  ['cron(0 0 30 2 ? *)', '2026-11-11T00:00:00', undefined],
])('%s after %s: %s', (expression, after, expected) => {
  expect(next(expression, after)).toBe(expected);
});

test.each([
  ['rate(5 minute)', /neither/],
  ['rate(0 minutes)', /neither/],
  ['cron(0 10 * * *)', /has 5 fields/],
  ['cron(0 10 * * * *)', /exactly one/],
  ['cron(0 10 ? * ? *)', /exactly one/],
  ['cron(60 10 * * ? *)', /minutes: '60' is not 0 to 59/],
  ['cron(5-1 10 * * ? *)', /ends before/],
  ['cron(0/0 10 * * ? *)', /no such step/],
  ['cron(0 10 ? * 8 *)', /day-of-week/],
])('%s is refused', (expression, fault) => {
  expect(() => parseSchedule(expression)).toThrow(fault);
});
