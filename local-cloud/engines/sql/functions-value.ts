/** Values of any type: what is in them, what they are, and base64. */
import { type JsonValue, placeBeyondDouble } from '../json-tree.ts';
import { literalText, type SqlFunction } from './function.ts';
import type { Expression } from './syntax.ts';
import { isObject, memberOf, toInt, toText, type Value } from './values.ts';

/** AWS: "limited to 128 KiB". */
const transformedBytesMax = 131_072;

function get([collection, key]: Value[]): Value {
  if (isObject(collection)) return typeof key === 'string' ? memberOf(collection, key) : undefined;
  if (!Array.isArray(collection) && typeof collection !== 'string') return undefined;
  const index = toInt(key);
  return index === undefined ? undefined : collection[index];
}

/** Of AWS's schemes the one that both directions have. */
function checkScheme(given: Expression[]): string | undefined {
  const scheme = literalText(given[1]);
  return scheme === 'base64' ? undefined : "the scheme is the literal 'base64'";
}

function decode([encoded]: Value[]): Value {
  const text = toText(encoded);
  if (text === undefined) return undefined;
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return null;
  const decoded = Buffer.from(text, 'base64').toString('utf8');
  try {
    const value = JSON.parse(decoded) as JsonValue;
    return placeBeyondDouble(value) === undefined ? value : undefined;
  } catch {
    return decoded;
  }
}

function enrichArray([mode, attributes, elements]: Value[]): Value {
  if (mode !== 'enrichArray' || !isObject(attributes) || !Array.isArray(elements)) return undefined;
  if (!elements.every(isObject)) return undefined;
  const enriched = elements.map((element) => ({ ...element, ...attributes }));
  return Buffer.byteLength(JSON.stringify(enriched)) > transformedBytesMax ? undefined : enriched;
}

export const valueFunctions: Record<string, SqlFunction> = {
  decode: { arity: [2, 2], call: decode, check: checkScheme },
  encode: {
    arity: [2, 2],
    call([value], message, wholeMessage) {
      if (wholeMessage) return message.raw.toString('base64');
      const text = toText(value);
      return text === undefined ? undefined : Buffer.from(text).toString('base64');
    },
    check: checkScheme,
  },
  get: { arity: [2, 2], call: get },
  get_or_default: {
    arity: [1, 2],
    call: ([value, otherwise]) => (value === undefined || value === null ? otherwise : value),
  },
  isnull: { arity: [1, 1], call: ([value]) => value === null },
  isundefined: { arity: [1, 1], call: ([value]) => value === undefined },
  transform: {
    arity: [3, 3],
    call: enrichArray,
    check: (given) =>
      literalText(given[0]) === 'enrichArray' ? undefined : "the mode is the literal 'enrichArray'",
  },
};
