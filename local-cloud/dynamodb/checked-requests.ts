/**
 * Remembers what dynalite's checks made of a request: they and its condition parser take longer than all the rest of a
 * conditional write, and clients send the same few requests with other values. Kept is the checked request with its
 * values left open; only requests are kept in whose checks nothing but the values' types counts.
 */

type Value = Record<string, unknown>;

/** @returns what the operation's action takes, expressions parsed. @throws what the client is answered with */
export type Check = (operation: string, input: Record<string, unknown>, store: object) => Value;

/** @param values in the order of `Shape` */
type Build = (values: readonly Value[]) => unknown;

interface Shape {
  /** All of a request but its values. */
  key: string;
  /** Of the key, then of the expressions. */
  values: Value[];
  names: { key: string[]; expression: string[] };
}

const keptMax = 200;
const keyCharsMax = 4000;
const operations = new Set(['UpdateItem', 'GetItem', 'DeleteItem']);
const literalMembers = new Set([
  'TableName',
  'ConsistentRead',
  'UpdateExpression',
  'ConditionExpression',
  'ExpressionAttributeNames',
  'ReturnValues',
  'ReturnValuesOnConditionCheckFailure',
]);
/** Comparisons, AND, OR, brackets, assignments and attribute_(not_)exists, all by placeholder. */
const plain = /^(?:attribute_(?:not_)?exists|SET|AND|OR|[#:]\w+|[\s(),=<>])*$/;
/** dynalite checks a number and writes it anew; these come out as they are. */
const plainNumber = /^(?:0|-?[1-9]\d{0,14})$/;

/** @returns the same check, but for the time it takes */
export function rememberChecked(check: Check): Check {
  const kept = new Map<string, Build>();
  return (operation, input, store) => {
    const shape = operations.has(operation) ? shapeOf(operation, input) : undefined;
    if (!shape) return check(operation, input, store);
    const build = kept.get(shape.key);
    if (build) return build(shape.values) as Value;
    // A fault is told in words, and looked for again each time.
    const checked = check(operation, input, store);
    if (!isPlain(input.UpdateExpression) || !isPlain(input.ConditionExpression)) return checked;
    if (kept.size >= keptMax) kept.clear();
    kept.set(shape.key, template(checked, places(checked, shape)));
    return checked;
  };
}

function shapeOf(operation: string, input: Record<string, unknown>): Shape | undefined {
  const literals: unknown[] = [];
  for (const name of Object.keys(input)) {
    if (literalMembers.has(name)) literals.push(name, input[name]);
    else if (name !== 'Key' && name !== 'ExpressionAttributeValues') return undefined;
  }
  const values: Value[] = [];
  const key = typesOf(input.Key, values);
  const expression = typesOf(input.ExpressionAttributeValues, values);
  if (!key || !expression) return undefined;
  const text = JSON.stringify([operation, literals, key, expression]);
  if (text.length > keyCharsMax) return undefined;
  return { key: text, values, names: { key: key.names, expression: expression.names } };
}

function isPlain(expression: unknown): boolean {
  return expression === undefined || (typeof expression === 'string' && plain.test(expression));
}

/** Adds the values of a map to `values`. @returns undefined where one is of a type that is checked further */
function typesOf(map: unknown, values: Value[]): { names: string[]; types: string[] } | undefined {
  if (map === undefined) return { names: [], types: [] };
  if (typeof map !== 'object' || map === null || Array.isArray(map)) return undefined;
  const names: string[] = [];
  const types: string[] = [];
  for (const [name, value] of Object.entries(map as Record<string, unknown>)) {
    if (typeof value !== 'object' || value === null) return undefined;
    const [type = '', ...more] = Object.keys(value);
    if (more.length > 0) return undefined;
    const { S: text, N: number } = value as { S?: unknown; N?: unknown };
    const isKept = type === 'S' ? typeof text === 'string' : type === 'N' && isPlainNumber(number);
    if (!isKept) return undefined;
    names.push(name);
    types.push(type);
    values.push(value as Value);
  }
  return { names, types };
}

function isPlainNumber(value: unknown): boolean {
  return typeof value === 'string' && plainNumber.test(value);
}

/** Where the values stand in a checked request, by identity: the parsers put a value into their trees as it was given. */
function places(checked: Value, { names }: Shape): Map<unknown, number> {
  const key = (checked.Key ?? {}) as Value;
  const expression = (checked.ExpressionAttributeValues ?? {}) as Value;
  const values = [...names.key.map((name) => key[name]), ...names.expression.map((name) => expression[name])];
  return new Map(values.map((value, index) => [value, index]));
}

function template(tree: unknown, places: ReadonlyMap<unknown, number>): Build {
  const place = places.get(tree);
  if (place !== undefined) return (values) => values[place];
  if (Array.isArray(tree)) {
    const parts = tree.map((part) => template(part, places));
    return (values) => parts.map((part) => part(values));
  }
  if (typeof tree !== 'object' || tree === null) return () => tree;
  const members = Object.entries(tree).map(([member, of]) => [member, template(of, places)] as const);
  const prototype: object | null = Object.getPrototypeOf(tree);
  return (values) => {
    const made: Value = prototype === Object.prototype ? {} : Object.create(prototype);
    for (const [member, build] of members) made[member] = build(values);
    return made;
  };
}
