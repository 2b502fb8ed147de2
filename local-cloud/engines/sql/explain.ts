/** Why an expression has the value that it has: each part with its own. */
import { evaluate } from './evaluate.ts';
import type { Message } from './message.ts';
import { show } from './show.ts';
import type { Expression } from './syntax.ts';
import type { Value } from './values.ts';

export interface Explanation {
  text: string;
  value: Value;
  /** What it was made of, literals left out. */
  parts: Explanation[];
}

export function explain(expression: Expression, scope: Value, message: Message): Explanation {
  return {
    text: show(expression),
    value: evaluate(expression, scope, message),
    parts: partsOf(expression)
      .filter(({ kind }) => kind !== 'literal' && kind !== 'star')
      .map((part) => explain(part, scope, message)),
  };
}

/** What is evaluated in the same scope; of a nested SELECT only where it reads from. */
function partsOf(expression: Expression): Expression[] {
  switch (expression.kind) {
    case 'literal':
    case 'attribute':
    case 'star':
      return [];
    case 'member':
      // A dotted path is one thing to whoever wrote it.
      return isPath(expression.of) ? [] : [expression.of];
    case 'array':
      return expression.elements;
    case 'object':
      return expression.members.map(({ value }) => value);
    case 'not':
    case 'negate':
    case 'cast':
      return [expression.operand];
    case 'and':
    case 'or':
    case 'compare':
    case 'in':
    case 'arithmetic':
      return [expression.left, expression.right];
    case 'case':
      return [expression.subject];
    case 'call':
      return expression.arguments;
    case 'select':
      return [expression.from];
  }
}

function isPath(expression: Expression): boolean {
  return expression.kind === 'attribute' || (expression.kind === 'member' && isPath(expression.of));
}
