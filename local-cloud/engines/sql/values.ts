/**
 * Values of AWS IoT's SQL and its standard conversions (developer guide, "Data types"). Numbers are double precision
 * (AWS: 34 digits); as in version 2016-03-23, a whole number is an Int.
 */

export type Value = undefined | null | boolean | number | string | Value[] | { [key: string]: Value };
export type ObjectValue = { [key: string]: Value };

export function isObject(value: Value): value is ObjectValue {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const decimalPattern = /^-?\d+(\.\d+)?(E-?\d+)?$/i;

/** @returns undefined where the value is no number and no string of one */
export function toDecimal(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || !decimalPattern.test(value)) return undefined;
  return finite(Number(value));
}

/** Rounded down, as the functions do it. */
export function toInt(value: Value): number | undefined {
  const decimal = toDecimal(value);
  return decimal === undefined ? undefined : Math.floor(decimal);
}

export function toBoolean(value: Value): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string') return undefined;
  const text = value.toLowerCase();
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

export function toText(value: Value): string | undefined {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return undefined;
  return JSON.stringify(withoutUndefined(value));
}

export function finite(number: number): number | undefined {
  return Number.isFinite(number) ? number : undefined;
}

/** As JSON shows it: Undefined is left out of objects, and of arrays too. */
export function withoutUndefined(value: Value): Value {
  if (Array.isArray(value)) return value.filter((element) => element !== undefined).map(withoutUndefined);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([key, member]) => [key, withoutUndefined(member)]),
  );
}

export function equal(left: Value, right: Value): boolean {
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((element, index) => equal(element, right[index]));
  }
  if (isObject(left) && isObject(right)) {
    const keys = Object.keys(left);
    return (
      keys.length === Object.keys(right).length &&
      keys.every((key) => Object.hasOwn(right, key) && equal(left[key], right[key]))
    );
  }
  return left === right;
}

/** An own member: what `Object.prototype` has is not in a message. */
export function memberOf(value: Value, name: string): Value {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** A copy of `target` with `value` at `path`; what stands in the way is replaced by objects. */
export function withMember(target: ObjectValue, [name = '', ...rest]: string[], value: Value): ObjectValue {
  const inner = memberOf(target, name);
  const member = rest.length === 0 ? value : withMember(isObject(inner) ? inner : {}, rest, value);
  return Object.fromEntries([...Object.entries(target).filter(([key]) => key !== name), [name, member]]);
}
