/** The tree of a statement of AWS IoT's SQL, version 2016-03-23, and the error that says where one is wrong. */

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%';
export type ComparisonOperator = '=' | '<>' | '<' | '<=' | '>' | '>=';

export type Expression =
  | { kind: 'literal'; value: string | number | boolean | null }
  /** An attribute of the message, or of the element that a nested SELECT looks at. */
  | { kind: 'attribute'; name: string }
  | { kind: 'member'; of: Expression; name: string }
  /** The whole message, as an argument of a function. */
  | { kind: 'star' }
  | { kind: 'array'; elements: Expression[] }
  | { kind: 'object'; members: { key: string; value: Expression }[] }
  | { kind: 'not'; operand: Expression }
  | { kind: 'negate'; operand: Expression }
  | { kind: 'and' | 'or'; left: Expression; right: Expression }
  | { kind: 'compare'; operator: ComparisonOperator; left: Expression; right: Expression }
  | { kind: 'in'; left: Expression; right: Expression }
  | { kind: 'arithmetic'; operator: ArithmeticOperator; left: Expression; right: Expression }
  | {
      kind: 'case';
      subject: Expression;
      branches: { when: Expression; result: Expression }[];
      otherwise?: Expression;
    }
  | { kind: 'cast'; operand: Expression; to: CastTarget }
  | { kind: 'call'; name: string; arguments: Expression[]; at: number }
  | { kind: 'select'; selection: Selection; from: Expression; where?: Expression };

export type CastTarget = 'string' | 'int' | 'decimal' | 'boolean';

export type Selection =
  | { kind: 'value'; value: Expression }
  | { kind: 'items'; star: boolean; items: { value: Expression; as: string[] }[] };

export interface Statement {
  selection: Selection;
  /** The topic filter; undefined where only Basic Ingest reaches the rule. */
  from?: string;
  where?: Expression;
}

/** Names of the functions that are called anywhere in a statement, an expression, a template. */
export function calledFunctions(tree: unknown): Set<string> {
  if (typeof tree !== 'object' || tree === null) return new Set();
  const inside = new Set(Object.values(tree).flatMap((part) => [...calledFunctions(part)]));
  const { kind, name } = tree as { kind?: unknown; name?: unknown };
  return kind === 'call' && typeof name === 'string' ? inside.add(name) : inside;
}

/** What a statement says that this engine does not know, and where. */
export class SqlError extends Error {
  constructor(text: string, at: number, message: string) {
    const before = text.slice(0, at).split('\n');
    const column = (before.at(-1)?.length ?? 0) + 1;
    super(`SQL line ${before.length}, column ${column}: ${message}`);
    this.name = 'SqlError';
  }
}
