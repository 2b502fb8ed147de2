/** Time as text and back. */
import { literalText, type SqlFunction } from './function.ts';
import type { Expression } from './syntax.ts';
import {
  parsePattern,
  readingLetters,
  readTime,
  writeTime,
  writingLetters,
  zoneOffsetMs,
} from './time-pattern.ts';
import { toDecimal, toText, type Value } from './values.ts';

/** What ECMAScript's Date holds. */
const timeMsMax = 8.64e15;

function checkPattern(expression: Expression | undefined, letters: string): string | undefined {
  const pattern = literalText(expression);
  return pattern === undefined ? undefined : complaint(() => parsePattern(pattern, letters));
}

function complaint(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function undefinedWhereItFails(attempt: () => Value): Value {
  try {
    return attempt();
  } catch {
    return undefined;
  }
}

export const timeFunctions: Record<string, SqlFunction> = {
  parse_time: {
    arity: [2, 3],
    call([pattern, time, zone = 'UTC']) {
      const timeMs = toDecimal(time);
      if (typeof pattern !== 'string' || timeMs === undefined || typeof zone !== 'string') return undefined;
      if (Math.abs(timeMs) > timeMsMax) return undefined;
      return undefinedWhereItFails(() =>
        writeTime(parsePattern(pattern, writingLetters), Math.floor(timeMs), zone),
      );
    },
    check(given) {
      const zone = literalText(given[2]);
      const badZone = zone !== undefined && complaint(() => zoneOffsetMs(zone, 0));
      return checkPattern(given[0], writingLetters) ?? (badZone || undefined);
    },
  },
  time_to_epoch: {
    arity: [2, 2],
    call([time, pattern]) {
      const text = toText(time);
      if (text === undefined || typeof pattern !== 'string') return undefined;
      return undefinedWhereItFails(() => readTime(parsePattern(pattern, readingLetters), text));
    },
    check: (given) => checkPattern(given[1], readingLetters),
  },
};
