/**
 * Date patterns: Joda-Time's for writing (parse_time), java.time's for reading (time_to_epoch), as far as the two
 * functions' own documentation goes. A letter that is not known is an error, never text.
 */

export type PatternPart = { text: string } | { letter: string; width: number };

/** @throws where a quote does not close, or a letter is none of `letters` */
export function parsePattern(pattern: string, letters: string): PatternPart[] {
  const parts: PatternPart[] = [];
  for (let at = 0; at < pattern.length; ) {
    const character = pattern[at] ?? '';
    if (character === "'") {
      const close = pattern.indexOf("'", at + 1);
      if (close < 0) throw new Error(`a ' in ${JSON.stringify(pattern)} does not close`);
      parts.push({ text: close === at + 1 ? "'" : pattern.slice(at + 1, close) });
      at = close + 1;
    } else if (/[A-Za-z]/.test(character)) {
      if (!letters.includes(character)) {
        throw new Error(
          `${character} in ${JSON.stringify(pattern)} is not a pattern letter that the local cloud knows`,
        );
      }
      let end = at;
      while (pattern[end] === character) end++;
      parts.push({ letter: character, width: end - at });
      at = end;
    } else {
      parts.push({ text: character });
      at++;
    }
  }
  return parts;
}

const months = 'January February March April May June July August September October November December'.split(
  ' ',
);
const days = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

export const writingLetters = 'GyYMdDEeaHkKhmsSzZ';

/** @throws RangeError where the zone is not known */
export function writeTime(parts: PatternPart[], timeMs: number, zone: string): string {
  const offsetMs = zoneOffsetMs(zone, timeMs);
  const local = new Date(timeMs + offsetMs);
  return parts
    .map((part) => ('text' in part ? part.text : writeField(part, local, { zone, timeMs, offsetMs })))
    .join('');
}

function writeField(
  { letter, width }: { letter: string; width: number },
  local: Date,
  { zone, timeMs, offsetMs }: { zone: string; timeMs: number; offsetMs: number },
): string {
  const padded = (value: number) => String(value).padStart(width, '0');
  const named = (name: string) => (width > 3 ? name : name.slice(0, 3));
  const hour = local.getUTCHours();
  const year = local.getUTCFullYear();
  switch (letter) {
    case 'G':
      return year > 0 ? 'AD' : 'BC';
    case 'y':
    case 'Y':
      return width === 2 ? String(year % 100).padStart(2, '0') : padded(year);
    case 'M':
      return width > 2 ? named(months[local.getUTCMonth()] ?? '') : padded(local.getUTCMonth() + 1);
    case 'd':
      return padded(local.getUTCDate());
    case 'D':
      return padded(Math.floor((local.getTime() - Date.UTC(year, 0, 1)) / 86_400_000) + 1);
    case 'E':
      return named(days[local.getUTCDay()] ?? '');
    case 'e':
      return padded(local.getUTCDay() || 7);
    case 'a':
      return hour < 12 ? 'AM' : 'PM';
    case 'H':
      return padded(hour);
    case 'k':
      return padded(hour || 24);
    case 'K':
      return padded(hour % 12);
    case 'h':
      return padded(hour % 12 || 12);
    case 'm':
      return padded(local.getUTCMinutes());
    case 's':
      return padded(local.getUTCSeconds());
    case 'S':
      return String(local.getUTCMilliseconds()).padStart(3, '0').padEnd(width, '0').slice(0, width);
    case 'z':
      return zoneName(zone, timeMs, width > 3 ? 'long' : 'short');
    default:
      return width > 2 ? zone : offsetText(offsetMs, width === 2 ? ':' : '');
  }
}

function offsetText(offsetMs: number, colon: string): string {
  const minutes = Math.abs(Math.round(offsetMs / 60_000));
  const two = (value: number) => String(value).padStart(2, '0');
  return `${offsetMs < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${colon}${two(minutes % 60)}`;
}

function zoneName(zone: string, timeMs: number, style: 'short' | 'long'): string {
  if (zone === 'UTC' && style === 'short') return 'UTC';
  const parts = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: style }).formatToParts(
    timeMs,
  );
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? zone;
}

const fixedOffset = /^(?:UTC|GMT|UT)?([+-])(\d{1,2})(?::?(\d{2}))?$/;

/** What a zone's clocks are ahead of UTC by. @throws RangeError where the zone is not known */
export function zoneOffsetMs(zone: string, timeMs: number): number {
  if (/^(UTC|GMT|UT|Z)$/.test(zone)) return 0;
  const fixed = fixedOffset.exec(zone);
  if (fixed) {
    const minutes = Number(fixed[2]) * 60 + Number(fixed[3] ?? 0);
    return (fixed[1] === '-' ? -minutes : minutes) * 60_000;
  }
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    ...{
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    },
  });
  const parts = Object.fromEntries(
    format.formatToParts(timeMs).map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(timeMs / 1000) * 1000;
}

export const readingLetters = 'GyuMdEaHhmsSVzZXx';

/** Of each letter the text that it reads. */
const readable: Record<string, (width: number) => string> = {
  G: () => 'AD',
  y: (width) => (width === 2 ? '\\d{2}' : '\\d{4}'),
  u: () => '\\d{4}',
  M: (width) =>
    width > 3
      ? months.join('|')
      : width === 3
        ? months.map((name) => name.slice(0, 3)).join('|')
        : digits(width),
  d: digits,
  E: (width) => (width > 3 ? days.join('|') : days.map((name) => name.slice(0, 3)).join('|')),
  a: () => 'AM|PM',
  H: digits,
  h: digits,
  m: digits,
  s: digits,
  S: (width) => `\\d{${width}}`,
  V: () => '[A-Za-z][A-Za-z0-9_+:/-]*|[+-]\\d{2}:?\\d{2}',
  z: () => '[A-Za-z][A-Za-z0-9_+:/-]*',
  Z: () => '[+-]\\d{4}',
  X: (width) => `Z|${numericOffset(width)}`,
  x: numericOffset,
};

function digits(width: number): string {
  return width === 1 ? '\\d{1,2}' : '\\d{2}';
}

function numericOffset(width: number): string {
  return width === 1 ? '[+-]\\d{2}(?:\\d{2})?' : width === 2 ? '[+-]\\d{4}' : '[+-]\\d{2}:\\d{2}';
}

/** @returns ms since the epoch; undefined where the text does not fit the pattern, or says no date. */
export function readTime(parts: PatternPart[], text: string): number | undefined {
  const letters: string[] = [];
  const source = parts
    .map((part) => {
      if ('text' in part) return part.text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
      letters.push(part.letter);
      return `(${readable[part.letter]?.(part.width)})`;
    })
    .join('');
  const match = new RegExp(`^${source}$`).exec(text);
  if (!match) return undefined;
  const read = new Map(letters.map((letter, index) => [letter, match[index + 1] ?? '']));
  return timeOf(read);
}

function timeOf(read: Map<string, string>): number | undefined {
  const year = read.get('u') ?? read.get('y');
  const month = read.get('M');
  const day = read.get('d');
  if (year === undefined || month === undefined || day === undefined) return undefined;
  const number = (letter: string) => Number(read.get(letter) ?? 0);
  const named = months.findIndex((name) => name.startsWith(month)) + 1;
  const hour = read.has('h') ? (number('h') % 12) + (read.get('a') === 'PM' ? 12 : 0) : number('H');
  const fields = [
    Number(year) + (year.length === 2 ? 2000 : 0),
    (named || Number(month)) - 1,
    Number(day),
  ] as const;
  const local = Date.UTC(
    ...fields,
    hour,
    number('m'),
    number('s'),
    Number((read.get('S') ?? '').padEnd(3, '0').slice(0, 3)),
  );
  const back = new Date(local);
  // Date.UTC lets 31 April run into May.
  if (back.getUTCMonth() !== fields[1] || back.getUTCDate() !== fields[2] || back.getUTCHours() !== hour)
    return undefined;
  const zone = read.get('V') ?? read.get('z') ?? read.get('Z') ?? read.get('X') ?? read.get('x') ?? 'UTC';
  try {
    // The offset of the zone depends on the time, which depends on the offset: twice is enough.
    const guess = local - zoneOffsetMs(zone, local);
    return local - zoneOffsetMs(zone, guess);
  } catch {
    return undefined;
  }
}
