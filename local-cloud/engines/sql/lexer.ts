/** Tokens of AWS IoT's SQL. What AWS's guide does not describe (comments, escapes in strings, …) is an error by name. */
import { SqlError } from './syntax.ts';

export type Token =
  | { kind: 'word'; text: string; at: number; end: number }
  | { kind: 'number'; value: number; at: number; end: number }
  | { kind: 'string'; value: string; quote: string; at: number; end: number }
  | { kind: 'symbol'; text: string; at: number; end: number }
  | { kind: 'end'; at: number; end: number };

const space = /[ \t\r\n]*/y;
const word = /[A-Za-z_][A-Za-z0-9_]*/y;
const number = /\d+(\.\d+)?([eE][+-]?\d+)?/y;
const symbol = /<>|<=|>=|[-+*/%=<>(),.[\]{}:]/y;

/** What other SQL has and AWS IoT's has not, or not in its guide. */
const refused: [RegExp, string][] = [
  [/--|\/\*/y, 'there are no comments in this SQL'],
  [/!=/y, 'write <> for !='],
  [/\|\|/y, 'write concat() or + for ||'],
  [/`/y, "there are no quoted names; read an attribute of any name with get(*, 'name')"],
  [/;/y, 'there is one statement a rule, without ;'],
];

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** The token that starts at or after `from`. */
export function readToken(text: string, from: number): Token {
  const at = from + (match(space, text, from)?.length ?? 0);
  if (at >= text.length) return { kind: 'end', at, end: at };
  for (const [pattern, message] of refused) {
    if (match(pattern, text, at) !== undefined) throw new SqlError(text, at, message);
  }
  const asWord = match(word, text, at);
  if (asWord !== undefined) return { kind: 'word', text: asWord, at, end: at + asWord.length };
  const asNumber = match(number, text, at);
  if (asNumber !== undefined) return readNumber(text, at, asNumber);
  const quote = text[at];
  if (quote === "'" || quote === '"') return readString(text, at, quote);
  const asSymbol = match(symbol, text, at);
  if (asSymbol !== undefined) return { kind: 'symbol', text: asSymbol, at, end: at + asSymbol.length };
  throw new SqlError(text, at, `${JSON.stringify(text[at])} means nothing here`);
}

function readNumber(text: string, at: number, digits: string): Token {
  const end = at + digits.length;
  if (match(word, text, end) !== undefined) throw new SqlError(text, at, 'a number runs into a name');
  const value = Number(digits);
  if (!Number.isFinite(value)) throw new SqlError(text, at, `${digits} is beyond double precision`);
  return { kind: 'number', value, at, end };
}

function readString(text: string, at: number, quote: string): Token {
  const close = text.indexOf(quote, at + 1);
  if (close < 0) throw new SqlError(text, at, `a string without its closing ${quote}`);
  const value = text.slice(at + 1, close);
  const backslash = value.indexOf('\\');
  if (backslash >= 0) {
    throw new SqlError(
      text,
      at + 1 + backslash,
      "a backslash in a string: AWS's guide does not say what it means there",
    );
  }
  if (text[close + 1] === quote) {
    throw new SqlError(text, close, `a doubled ${quote} in a string: use the other kind of quotes around it`);
  }
  return { kind: 'string', value, quote, at, end: close + 1 };
}
