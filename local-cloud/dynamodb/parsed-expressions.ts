/**
 * Remembers what dynalite's parsers made of an expression: its condition parser takes longer than all the rest of a
 * conditional write, and clients send the same few expressions with other values. Kept is the tree with its
 * values left open; only expressions are kept in whose checks nothing but the values' types counts.
 */

type Value = Record<string, unknown>;

interface Context {
  attrNames?: Record<string, string>;
  attrVals?: Record<string, Value>;
  unusedAttrNames?: Record<string, boolean>;
  unusedAttrVals?: Record<string, boolean>;
  isKeyCondition?: boolean;
}

export interface Parser {
  parse(text: string, options: { context: Context }): unknown;
}

type Build = (values: Record<string, Value>) => unknown;

const keptMax = 200;
const textCharsMax = 2000;
/** Comparisons, AND, OR, brackets, assignments and attribute_(not_)exists, all by placeholder. */
const plain = /^(?:attribute_(?:not_)?exists|SET|AND|OR|[#:]\w+|[\s(),=<>])*$/;

/** Changes `parser`: its answers stay the same. */
export function rememberParsed(parser: Parser): void {
  const parse = parser.parse;
  const kept = new Map<string, Build>();
  parser.parse = (text, options) => {
    const {
      attrNames = {},
      attrVals = {},
      unusedAttrNames = {},
      unusedAttrVals = {},
      isKeyCondition,
    } = options.context;
    if (isKeyCondition || text.length > textCharsMax || !plain.test(text)) return parse(text, options);
    const types = Object.entries(attrVals).map(([name, value]) => [name, Object.keys(value)]);
    const key = JSON.stringify([text, attrNames, types]);
    const build = kept.get(key);
    if (build) {
      for (const [placeholder] of text.matchAll(/[#:]\w+/g)) {
        delete unusedAttrNames[placeholder];
        delete unusedAttrVals[placeholder];
      }
      return build(attrVals);
    }
    const tree = parse(text, options);
    // A fault is told in words, and parsed again each time.
    if (typeof tree !== 'object' || tree === null) return tree;
    if (kept.size >= keptMax) kept.clear();
    kept.set(key, template(tree, new Map(Object.entries(attrVals).map(([name, value]) => [value, name]))));
    return tree;
  };
}

/** @param names of the values, by identity: the parser puts a value into its tree as it was given */
function template(tree: unknown, names: ReadonlyMap<unknown, string>): Build {
  const name = names.get(tree);
  if (name !== undefined) return (values) => values[name];
  if (Array.isArray(tree)) {
    const parts = tree.map((part) => template(part, names));
    return (values) => parts.map((part) => part(values));
  }
  if (typeof tree !== 'object' || tree === null) return () => tree;
  const members = Object.entries(tree).map(([member, of]) => [member, template(of, names)] as const);
  const prototype: object | null = Object.getPrototypeOf(tree);
  return (values) => {
    const made = Object.create(prototype);
    for (const [member, build] of members) made[member] = build(values);
    return made;
  };
}
