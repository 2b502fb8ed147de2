/** An expression as text again: what it parses to is the same expression. */
import type { Expression, Selection } from './syntax.ts';

/** From loose to tight, as in the parser. */
const level = { or: 1, and: 2, not: 3, compare: 4, in: 4, sum: 5, product: 6, negate: 7, path: 8 } as const;
const castNames = { string: 'String', int: 'Int', decimal: 'Decimal', boolean: 'Boolean' } as const;

export function show(expression: Expression): string {
  return showAt(expression, 0);
}

/** With brackets where it binds more loosely than its place asks for. */
function showAt(expression: Expression, least: number): string {
  const [text, own] = showBare(expression);
  return own < least ? `(${text})` : text;
}

function showBare(expression: Expression): [text: string, level: number] {
  switch (expression.kind) {
    case 'literal':
      return [showLiteral(expression.value), level.path];
    case 'attribute':
      return [expression.name, level.path];
    case 'member':
      return [`${showAt(expression.of, level.path)}.${expression.name}`, level.path];
    case 'star':
      return ['*', level.path];
    case 'array':
      return [`[${expression.elements.map(show).join(', ')}]`, level.path];
    case 'object':
      return [
        `{${expression.members.map(({ key, value }) => `${quote(key)}: ${show(value)}`).join(', ')}}`,
        level.path,
      ];
    case 'not':
      return [`NOT ${showAt(expression.operand, level.not)}`, level.not];
    case 'negate':
      return [`-${showAt(expression.operand, level.path)}`, level.negate];
    case 'and':
    case 'or': {
      const own = level[expression.kind];
      const word = expression.kind.toUpperCase();
      return [`${showAt(expression.left, own)} ${word} ${showAt(expression.right, own + 1)}`, own];
    }
    case 'compare':
      return [
        `${showAt(expression.left, level.sum)} ${expression.operator} ${showAt(expression.right, level.sum)}`,
        level.compare,
      ];
    case 'in':
      return [`${showAt(expression.left, level.sum)} IN ${showAt(expression.right, level.sum)}`, level.in];
    case 'arithmetic': {
      const own = '+-'.includes(expression.operator) ? level.sum : level.product;
      return [
        `${showAt(expression.left, own)} ${expression.operator} ${showAt(expression.right, own + 1)}`,
        own,
      ];
    }
    case 'case': {
      const branches = expression.branches.map(
        ({ when, result }) => `WHEN ${show(when)} THEN ${show(result)}`,
      );
      const otherwise = expression.otherwise ? ` ELSE ${show(expression.otherwise)}` : '';
      return [`CASE ${show(expression.subject)} ${branches.join(' ')}${otherwise} END`, level.path];
    }
    case 'cast':
      return [`cast(${show(expression.operand)} AS ${castNames[expression.to]})`, level.path];
    case 'call':
      return [`${expression.name}(${expression.arguments.map(show).join(', ')})`, level.path];
    case 'select': {
      const where = expression.where ? ` WHERE ${show(expression.where)}` : '';
      const from = showAt(expression.from, level.path);
      // In brackets always: that is where the grammar has it.
      return [`(SELECT ${showSelection(expression.selection)} FROM ${from}${where})`, level.path];
    }
  }
}

export function showSelection(selection: Selection): string {
  if (selection.kind === 'value') {
    // VALUE before a minus is not in the grammar.
    return `VALUE ${showAt(selection.value, selection.value.kind === 'negate' ? level.path : 0)}`;
  }
  const items = selection.items.map(({ value, as }) => `${show(value)} AS ${as.join('.')}`);
  return [...(selection.star ? ['*'] : []), ...items].join(', ');
}

function showLiteral(value: string | number | boolean | null): string {
  if (typeof value === 'string') return quote(value);
  return value === null ? 'Null' : String(value);
}

/** A string of the SQL never holds both kinds of quotes: it has no escapes. */
function quote(text: string): string {
  return text.includes("'") ? `"${text}"` : `'${text}'`;
}
