/**
 * JSON as data that came from outside. Objects that we build inherit nothing, so a key such as `__proto__`
 * is a key like any other; objects that we read are asked with `Object.hasOwn`.
 */

export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** V8 keeps what a class makes as it keeps literals; what `Object.create(null)` makes is a hash table, slow in everything. */
class Bare {
  [key: string]: JsonValue;
}
Reflect.deleteProperty(Bare.prototype, 'constructor');
Object.freeze(Object.setPrototypeOf(Bare.prototype, null));

/** An object that inherits nothing. */
export function emptyObject(): JsonObject {
  return new Bare();
}

/** The object's own member; never something inherited. */
export function own<T>(object: { [key: string]: T }, key: string): T | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

export function isEmpty(object: object): boolean {
  return Object.keys(object).length === 0;
}

/** Equal as JSON: the order of keys does not count, numbers go by value. */
export function jsonEqual(a: JsonValue, b: JsonValue): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return (
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => {
        const other = b[index];
        return other !== undefined && jsonEqual(item, other);
      })
    );
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => {
      const left = own(a, key);
      const right = own(b, key);
      return left !== undefined && right !== undefined && jsonEqual(left, right);
    })
  );
}

/** Long enough to find it by. */
const placeCharsMax = 200;

/** Where a number is that no double holds, such as `a.list[2]`: `JSON.parse` makes it Infinity, and `JSON.stringify` that null. */
export function placeBeyondDouble(value: JsonValue): string | undefined {
  return pathBeyondDouble(value)?.join('').replace(/^\./, '').slice(0, placeCharsMax);
}

function pathBeyondDouble(value: JsonValue): string[] | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : [];
  if (typeof value !== 'object' || value === null) return undefined;
  let at = 0;
  for (const child of Object.values(value)) {
    const path = pathBeyondDouble(child);
    if (path) return [Array.isArray(value) ? `[${at}]` : `.${Object.keys(value)[at]}`, ...path];
    at++;
  }
  return undefined;
}

export function beyondDouble(place: string): string {
  return `the number at ${place === '' ? 'its top' : place} is beyond what a double holds`;
}

/** @throws SyntaxError, also where a number would not come out as it went in; RangeError at many thousands of levels */
export function parseJson(text: string): JsonValue {
  const value = JSON.parse(text) as JsonValue;
  const place = placeBeyondDouble(value);
  if (place !== undefined) throw new SyntaxError(beyondDouble(place));
  return value;
}

export function jsonBytes(value: JsonValue | undefined): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}
