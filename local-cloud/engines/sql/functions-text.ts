/** Texts, regular expressions and digests. */
import { createHash } from 'node:crypto';
import { inBounds, inTime } from './bounded.ts';
import { literalText, ofTexts, type SqlFunction } from './function.ts';
import { md2 } from './md2.ts';
import type { Expression } from './syntax.ts';
import { toInt, toText, type Value } from './values.ts';

const digest = (algorithm: string) => ofTexts(1, (text) => createHash(algorithm).update(text).digest('hex'));

const paddingMax = 1000;

function pad(put: (text: string, spaces: string) => string): SqlFunction {
  return {
    arity: [2, 2],
    call([value, width]) {
      const text = toText(value);
      const count = toInt(width);
      if (text === undefined || count === undefined) return undefined;
      return put(text, ' '.repeat(Math.min(paddingMax, Math.max(0, count))));
    },
  };
}

/** @returns undefined where the pattern is none; what only Java knows is no pattern here. */
function compile(pattern: string, flags = 'u'): RegExp | undefined {
  try {
    return new RegExp(pattern, flags);
  } catch {
    return undefined;
  }
}

function checkPattern(given: Expression[]): string | undefined {
  const pattern = literalText(given[1]);
  if (pattern === undefined || compile(pattern)) return undefined;
  return `${JSON.stringify(pattern)} is not a regular expression that the local cloud knows`;
}

/** Java's replacement string: `$1` a group, `\x` x itself. @returns undefined where it is none */
function expand(replacement: string, match: RegExpMatchArray): string | undefined {
  let out = '';
  for (let index = 0; index < replacement.length; index++) {
    const character = replacement[index];
    const next = replacement[index + 1];
    if (character === '\\') {
      if (next === undefined) return undefined;
      out += next;
      index++;
    } else if (character === '$') {
      const group = next !== undefined && /\d/.test(next) ? Number(next) : undefined;
      if (group === undefined || group >= match.length) return undefined;
      out += match[group] ?? '';
      index++;
    } else out += character;
  }
  return out;
}

function replaceMatches(text: string, pattern: string, replacement: string): Value {
  const regexp = compile(pattern, 'gu');
  if (!regexp) return undefined;
  let out = '';
  let end = 0;
  for (const match of text.matchAll(regexp)) {
    const expanded = expand(replacement, match);
    if (expanded === undefined) return undefined;
    out += text.slice(end, match.index) + expanded;
    inBounds('regexp_replace', out.length);
    end = match.index + match[0].length;
  }
  return out + text.slice(end);
}

function replaceAll(text: string, part: string, by: string): string {
  const pieces = text.split(part);
  inBounds('replace', text.length + (pieces.length + 1) * by.length);
  return text.replaceAll(part, () => by);
}

/** A regular expression would look at each blank's whole rest. */
function withoutEndingBlanks(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--;
  return text.slice(0, end);
}

function concat(values: Value[]): Value {
  if (values.length < 2) return values[0];
  if (values.some(Array.isArray)) return values.flat(1);
  if (!values.some((value) => typeof value === 'string')) return undefined;
  const texts = values.map(toText);
  return texts.every((text) => text !== undefined) ? texts.join('') : undefined;
}

function substring(values: Value[]): Value {
  const text = toText(values[0]);
  const from = toInt(values[1]);
  const to = values.length === 3 ? toInt(values[2]) : Number.POSITIVE_INFINITY;
  if (text === undefined || from === undefined || to === undefined) return undefined;
  // slice() would count negative indices from the end, substring() would swap them.
  return text.slice(Math.max(0, from), Math.max(0, to));
}

export const textFunctions: Record<string, SqlFunction> = {
  chr: {
    arity: [1, 1],
    call([value]) {
      const code = toInt(value);
      return code !== undefined && code >= 0 && code <= 127 ? String.fromCharCode(code) : undefined;
    },
  },
  concat: { arity: [0, Number.POSITIVE_INFINITY], call: concat },
  endswith: ofTexts(2, (text, end) => text.endsWith(end)),
  indexof: ofTexts(2, (text, part) => text.indexOf(part)),
  length: ofTexts(1, (text) => [...text].length),
  lower: ofTexts(1, (text) => text.toLowerCase()),
  lpad: pad((text, spaces) => spaces + text),
  ltrim: ofTexts(1, (text) => text.replace(/^[\t ]+/, '')),
  md2: ofTexts(1, md2),
  md5: digest('md5'),
  numbytes: ofTexts(1, (text) => Buffer.byteLength(text)),
  regexp_matches: {
    ...ofTexts(2, (text, pattern) => {
      const regexp = compile(pattern);
      return regexp && inTime('regexp_matches', () => regexp.test(text));
    }),
    check: checkPattern,
  },
  regexp_replace: {
    ...ofTexts(3, (...texts) => {
      const [text = '', pattern = '', replacement = ''] = texts;
      return inTime('regexp_replace', () => replaceMatches(text, pattern, replacement));
    }),
    check: checkPattern,
  },
  regexp_substr: {
    ...ofTexts(2, (text, pattern) => {
      const regexp = compile(pattern);
      return regexp && inTime('regexp_substr', () => regexp.exec(text)?.[0]);
    }),
    check: checkPattern,
  },
  replace: ofTexts(3, replaceAll),
  rpad: pad((text, spaces) => text + spaces),
  rtrim: ofTexts(1, withoutEndingBlanks),
  sha1: digest('sha1'),
  sha224: digest('sha224'),
  sha256: digest('sha256'),
  sha384: digest('sha384'),
  sha512: digest('sha512'),
  startswith: ofTexts(2, (text, start) => text.startsWith(start)),
  substring: { arity: [2, 3], call: substring },
  trim: ofTexts(1, (text) => text.trim()),
  upper: ofTexts(1, (text) => text.toUpperCase()),
};
