/**
 * DynamoDB's expressions, as far as Beam writes them: conditions of comparisons, attribute_exists, attribute_not_exists, AND, OR
 * and parentheses; updates of SET (with if_not_exists) and REMOVE. What is not among these is an error, never ignored.
 * (DynamoDB developer guide, "Condition and filter expressions", "Update expressions".)
 */

import { isDeepStrictEqual } from 'node:util';

export type Attribute = Record<string, unknown>;
export type Item = Readonly<Record<string, Attribute>>;

/** What `#name` and `:value` stand for. */
export interface Placeholders {
  names: Record<string, string>;
  values: Record<string, Attribute>;
}

type Test = (item: Item | undefined, of: Placeholders) => boolean;
type Change = (item: Record<string, Attribute>, before: Item | undefined, of: Placeholders) => void;

const token = /\s*(#\w+|:\w+|\w+|<>|<=|>=|[=<>(),])/y;

class Tokens {
  readonly #text: string;
  readonly #tokens: string[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    token.lastIndex = 0;
    while (text.slice(token.lastIndex).trim() !== '') {
      const from = token.lastIndex;
      const match = token.exec(text);
      if (!match?.[1]) throw new Error(`no expression of ours: ${JSON.stringify(text.slice(from))}`);
      this.#tokens.push(match[1]);
    }
  }

  get next(): string | undefined {
    return this.#tokens[this.#at];
  }

  take(expected?: string): string {
    const found = this.#tokens[this.#at++];
    if (found === undefined || (expected !== undefined && found !== expected)) {
      throw new Error(`${this.#text}: ${expected ?? 'something'} was expected, ${found ?? 'the end'} found`);
    }
    return found;
  }

  accept(word: string): boolean {
    if (this.next !== word) return false;
    this.#at += 1;
    return true;
  }
}

const conditions = new Map<string, Test>();
const updates = new Map<string, Change[]>();

export function meets(condition: string | undefined, item: Item | undefined, of: Placeholders): boolean {
  if (condition === undefined) return true;
  let test = conditions.get(condition);
  if (!test) {
    const tokens = new Tokens(condition);
    test = either(tokens);
    if (tokens.next !== undefined) throw new Error(`${condition}: ${tokens.next} was not expected`);
    conditions.set(condition, test);
  }
  return test(item, of);
}

export function updated(update: string, item: Item | undefined, of: Placeholders): Record<string, Attribute> {
  let changes = updates.get(update);
  if (!changes) {
    changes = parseUpdate(new Tokens(update));
    updates.set(update, changes);
  }
  const after = { ...item };
  for (const change of changes) change(after, item, of);
  return after;
}

function either(tokens: Tokens): Test {
  const tests = [both(tokens)];
  while (tokens.accept('OR')) tests.push(both(tokens));
  return (item, of) => tests.some((test) => test(item, of));
}

function both(tokens: Tokens): Test {
  const tests = [one(tokens)];
  while (tokens.accept('AND')) tests.push(one(tokens));
  return (item, of) => tests.every((test) => test(item, of));
}

function one(tokens: Tokens): Test {
  if (tokens.accept('(')) {
    const inner = either(tokens);
    tokens.take(')');
    return inner;
  }
  const first = tokens.take();
  if (first === 'attribute_exists' || first === 'attribute_not_exists') {
    tokens.take('(');
    const name = tokens.take();
    tokens.take(')');
    const wanted = first === 'attribute_exists';
    return (item, of) => (item?.[nameOf(name, of)] !== undefined) === wanted;
  }
  const comparison = tokens.take();
  const second = tokens.take();
  return (item, of) => compare(item?.[nameOf(first, of)], comparison, valueFor(second, of));
}

function compare(a: Attribute | undefined, comparison: string, b: Attribute): boolean {
  if (comparison === '<>') return a === undefined || !same(a, b);
  // An attribute that is missing, or of another type, meets no other comparison.
  if (a === undefined) return false;
  if (comparison === '=') return same(a, b);
  const order = orderOf(a, b);
  if (order === undefined) return false;
  switch (comparison) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    default:
      throw new Error(`no comparison of ours: ${comparison}`);
  }
}

function same(a: Attribute, b: Attribute): boolean {
  return 'N' in a && 'N' in b ? Number(a.N) === Number(b.N) : isDeepStrictEqual(a, b);
}

function orderOf(a: Attribute, b: Attribute): number | undefined {
  if ('N' in a && 'N' in b) return Number(a.N) - Number(b.N);
  if ('S' in a && 'S' in b) return Buffer.compare(Buffer.from(String(a.S)), Buffer.from(String(b.S)));
  return undefined;
}

function parseUpdate(tokens: Tokens): Change[] {
  const changes: Change[] = [];
  while (tokens.next !== undefined) {
    const clause = tokens.take();
    if (clause !== 'SET' && clause !== 'REMOVE') throw new Error(`no update of ours: ${clause}`);
    do changes.push(clause === 'SET' ? set(tokens) : remove(tokens));
    while (tokens.accept(','));
  }
  return changes;
}

function set(tokens: Tokens): Change {
  const name = tokens.take();
  tokens.take('=');
  if (tokens.accept('if_not_exists')) {
    tokens.take('(');
    const other = tokens.take();
    tokens.take(',');
    const value = tokens.take();
    tokens.take(')');
    return (item, before, of) => {
      item[nameOf(name, of)] = before?.[nameOf(other, of)] ?? valueFor(value, of);
    };
  }
  const value = tokens.take();
  return (item, _, of) => {
    item[nameOf(name, of)] = valueFor(value, of);
  };
}

function remove(tokens: Tokens): Change {
  const name = tokens.take();
  return (item, _, of) => {
    delete item[nameOf(name, of)];
  };
}

function nameOf(token: string, { names }: Placeholders): string {
  const name = names[token];
  if (name === undefined) throw new Error(`${token} is not among the expression's attribute names`);
  return name;
}

function valueFor(token: string, { values }: Placeholders): Attribute {
  const value = values[token];
  if (value === undefined) throw new Error(`${token} is not among the expression's attribute values`);
  return value;
}
