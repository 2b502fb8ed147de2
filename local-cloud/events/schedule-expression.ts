/** EventBridge's schedule expressions (user guide, "Cron-based schedules"): `rate(5 minutes)`, `cron(0 18 ? * MON-FRI *)`, in UTC. */

import { rateMs } from '../../protocol/manifest.ts';

export type Schedule = { kind: 'rate'; periodMs: number } | { kind: 'cron'; cron: Cron };

interface Cron {
  minutes: ReadonlySet<number>;
  hours: ReadonlySet<number>;
  months: ReadonlySet<number>;
  years: ReadonlySet<number>;
  isDay(day: Day): boolean;
}

interface Day {
  year: number;
  /** 1 to 12. */
  month: number;
  date: number;
  /** 1 is Sunday, as EventBridge counts. */
  weekday: number;
  lastDate: number;
}

const dayMs = 86_400_000;
const monthNames = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ');
const weekdayNames = 'SUN MON TUE WED THU FRI SAT'.split(' ');
const [yearMin, yearMax] = [1970, 2199];
/** A leap day on a given weekday comes at least once in so many years. */
const yearsAhead = 41;

/** @throws Error that says what is wrong */
export function parseSchedule(expression: string): Schedule {
  const periodMs = rateMs(expression);
  if (periodMs !== undefined) return { kind: 'rate', periodMs };
  const fields = /^cron\(([^()]*)\)$/.exec(expression)?.[1]?.trim().split(/\s+/);
  if (!fields) throw new Error(`'${expression}' is neither rate(5 minutes) nor cron(0 12 * * ? *)`);
  const [minute = '', hour = '', date = '', month = '', weekday = '', year = ''] = fields;
  if (fields.length !== 6) throw new Error(`'${expression}' has ${fields.length} fields, not 6`);
  if ((date === '?') === (weekday === '?'))
    throw new Error(`'${expression}': exactly one of day-of-month and day-of-week is '?'`);
  return {
    kind: 'cron',
    cron: {
      minutes: numbers(minute, 'minutes', 0, 59),
      hours: numbers(hour, 'hours', 0, 23),
      months: numbers(month, 'month', 1, 12, monthNames),
      years: numbers(year, 'year', yearMin, yearMax),
      isDay: date === '?' ? weekdayTest(weekday) : dateTest(date),
    },
  };
}

/** `*`, `1,5`, `1-5`, `0/15`, `1-30/5`, names. */
function numbers(field: string, what: string, min: number, max: number, names: string[] = []): Set<number> {
  const found = new Set<number>();
  const numberOf = (text: string): number => {
    const named = names.indexOf(text.toUpperCase());
    const value = named >= 0 ? named + min : /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new Error(`${what}: '${text}' is not ${min} to ${max}`);
    return value;
  };
  for (const part of field.split(',')) {
    const [range = '', step, ...more] = part.split('/');
    if (more.length > 0 || (step !== undefined && !/^[1-9]\d{0,3}$/.test(step)))
      throw new Error(`${what}: '${part}' has no such step`);
    const [first = '', last, ...others] = range.split('-');
    if (others.length > 0) throw new Error(`${what}: '${part}' is no range`);
    const from = range === '*' ? min : numberOf(first);
    const to = range === '*' || (step !== undefined && last === undefined) ? max : numberOf(last ?? first);
    if (from > to) throw new Error(`${what}: '${part}' ends before it begins`);
    for (let value = from; value <= to; value += Number(step ?? 1)) found.add(value);
  }
  return found;
}

function dateTest(field: string): Cron['isDay'] {
  if (field === 'L') return ({ date, lastDate }) => date === lastDate;
  const near = /^(\d{1,2})W$/.exec(field)?.[1];
  if (near === undefined) {
    const dates = numbers(field, 'day-of-month', 1, 31);
    return ({ date }) => dates.has(date);
  }
  const [wanted] = numbers(near, 'day-of-month', 1, 31);
  return (day) => day.date === nearestWorkday(wanted ?? 1, day);
}

/** Monday to Friday, in the same month. */
function nearestWorkday(wanted: number, { date, weekday, lastDate }: Day): number {
  if (wanted > lastDate) return 0;
  const weekdayOfWanted = (((weekday - 1 + wanted - date) % 7) + 7) % 7;
  if (weekdayOfWanted === 6) return wanted === 1 ? 3 : wanted - 1;
  if (weekdayOfWanted === 0) return wanted === lastDate ? wanted - 2 : wanted + 1;
  return wanted;
}

function weekdayTest(field: string): Cron['isDay'] {
  const last = /^(\w+)L$/.exec(field)?.[1];
  if (last !== undefined) {
    const [wanted] = numbers(last, 'day-of-week', 1, 7, weekdayNames);
    return ({ weekday, date, lastDate }) => weekday === wanted && date + 7 > lastDate;
  }
  const [, name, nth] = /^(\w+)#([1-5])$/.exec(field) ?? [];
  if (name !== undefined) {
    const [wanted] = numbers(name, 'day-of-week', 1, 7, weekdayNames);
    return ({ weekday, date }) => weekday === wanted && Math.ceil(date / 7) === Number(nth);
  }
  const days = numbers(field, 'day-of-week', 1, 7, weekdayNames);
  return ({ weekday }) => days.has(weekday);
}

/**
 * @param anchorMs when the schedule was made: a rate counts from it
 * @returns the first time after `afterMs`; undefined where there is none any more
 */
export function nextTime(schedule: Schedule, anchorMs: number, afterMs: number): number | undefined {
  if (schedule.kind === 'rate') {
    const { periodMs } = schedule;
    // Before the anchor, too: a clock that was set back must not stop it.
    const periods = Math.floor((afterMs - anchorMs) / periodMs) + 1;
    return anchorMs + periods * periodMs;
  }
  return nextCron(schedule.cron, afterMs);
}

function nextCron({ minutes, hours, months, years, isDay }: Cron, afterMs: number): number | undefined {
  const firstDay = Math.floor(afterMs / dayMs) * dayMs;
  const lastYear = new Date(afterMs).getUTCFullYear() + yearsAhead;
  const times = [...hours]
    .flatMap((hour) => [...minutes].map((minute) => (hour * 60 + minute) * 60_000))
    .sort((a, b) => a - b);
  for (let dayStart = firstDay; ; dayStart += dayMs) {
    const at = new Date(dayStart);
    const year = at.getUTCFullYear();
    if (year > lastYear || year > yearMax) return undefined;
    if (!years.has(year) || !months.has(at.getUTCMonth() + 1)) continue;
    const day: Day = {
      year,
      month: at.getUTCMonth() + 1,
      date: at.getUTCDate(),
      weekday: at.getUTCDay() + 1,
      lastDate: new Date(Date.UTC(year, at.getUTCMonth() + 1, 0)).getUTCDate(),
    };
    if (!isDay(day)) continue;
    const time = times.find((offset) => dayStart + offset > afterMs);
    if (time !== undefined) return dayStart + time;
  }
}
