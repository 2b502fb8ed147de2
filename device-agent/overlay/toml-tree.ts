/** Parsed TOML as a tree of tables, and its settings by path. */

export type TomlTable = { [key: string]: unknown };
export type TomlPath = readonly string[];

export function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

export function settingAt(root: TomlTable, path: TomlPath): unknown {
  let value: unknown = root;
  for (const key of path) {
    if (!isTable(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** @returns a copy of `root` with `path` set, or removed where `value` is undefined. Empty tables stay. */
export function withSetting(root: TomlTable, path: TomlPath, value: unknown): TomlTable {
  const [key, ...rest] = path;
  if (key === undefined) return root;
  const copy: TomlTable = { ...root };
  if (rest.length > 0) {
    const inner = Object.hasOwn(root, key) ? root[key] : undefined;
    if (value === undefined && !isTable(inner)) return root;
    set(copy, key, withSetting(isTable(inner) ? inner : {}, rest, value));
  } else if (value === undefined) delete copy[key];
  else set(copy, key, value);
  return copy;
}

/** `__proto__` is a key like any other. */
function set(table: TomlTable, key: string, value: unknown): void {
  Object.defineProperty(table, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Every setting that is not a table, with its path. */
export function settings(root: TomlTable, above: TomlPath = []): { path: string[]; value: unknown }[] {
  return Object.entries(root).flatMap(([key, value]) => {
    const path = [...above, key];
    return isTable(value) ? settings(value, path) : [{ path, value }];
  });
}

export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b) || (a === 0 && b === 0)) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameValue(item, b[index]));
  }
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (!isTable(a) || !isTable(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && sameValue(a[key], b[key]))
  );
}
