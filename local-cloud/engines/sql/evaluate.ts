/** Evaluates parsed SQL on a message. Pure: clock, randomness and shadows come in with the message. */
import { functions } from './functions.ts';
import type { Message } from './message.ts';
import type {
  ArithmeticOperator,
  CastTarget,
  ComparisonOperator,
  Expression,
  Selection,
  Statement,
} from './syntax.ts';
import {
  equal,
  finite,
  isObject,
  memberOf,
  toBoolean,
  toDecimal,
  toText,
  type Value,
  withMember,
  withoutUndefined,
} from './values.ts';

export type Evaluation = { fires: false } | { fires: true; output: Value | Buffer };

/**
 * WHERE, then SELECT.
 * @throws where the message is no JSON and the statement needs it to be, or holds a number beyond a double
 */
export function evaluateStatement(statement: Statement, message: Message): Evaluation {
  if (message.payloadFault !== undefined) throw new Error(`In the message ${message.payloadFault}`);
  if (statement.where && toBoolean(evaluate(statement.where, message.payload, message)) !== true) {
    return { fires: false };
  }
  const { selection } = statement;
  const wholeOnly =
    selection.kind === 'items'
      ? selection.star && selection.items.length === 0
      : selection.value.kind === 'star';
  if (wholeOnly && message.payload === undefined) return { fires: true, output: message.raw };
  if (selection.kind === 'items' && selection.star && !wholeOnly && !isObject(message.payload)) {
    throw new Error('SELECT * with other items needs a message that is a JSON object');
  }
  return { fires: true, output: withoutUndefined(select(selection, message.payload, message)) };
}

/** @param scope what attributes are read from: the message, or an element of it */
export function evaluate(expression: Expression, scope: Value, message: Message): Value {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'attribute':
      return memberOf(scope, expression.name);
    case 'member':
      return memberOf(evaluate(expression.of, scope, message), expression.name);
    case 'star':
      return scope;
    case 'array':
      return expression.elements.map((element) => evaluate(element, scope, message));
    case 'object':
      return Object.fromEntries(
        expression.members.map(({ key, value }) => [key, evaluate(value, scope, message)]),
      );
    case 'negate': {
      const number = toDecimal(evaluate(expression.operand, scope, message));
      return number === undefined ? undefined : -number;
    }
    case 'not': {
      const operand = toBoolean(evaluate(expression.operand, scope, message));
      return operand === undefined ? undefined : !operand;
    }
    case 'and':
    case 'or': {
      const left = toBoolean(evaluate(expression.left, scope, message));
      const right = toBoolean(evaluate(expression.right, scope, message));
      if (left === undefined || right === undefined) return undefined;
      return expression.kind === 'and' ? left && right : left || right;
    }
    case 'compare':
      return compare(
        expression.operator,
        evaluate(expression.left, scope, message),
        evaluate(expression.right, scope, message),
      );
    case 'in': {
      const left = evaluate(expression.left, scope, message);
      const right = evaluate(expression.right, scope, message);
      if (left === undefined || !Array.isArray(right)) return undefined;
      return right.some((element) => equal(left, element));
    }
    case 'arithmetic':
      return calculate(
        expression.operator,
        evaluate(expression.left, scope, message),
        evaluate(expression.right, scope, message),
      );
    case 'case':
      return evaluateCase(expression, scope, message);
    case 'cast':
      return cast(evaluate(expression.operand, scope, message), expression.to);
    case 'call': {
      const definition = functions.get(expression.name);
      if (!definition) throw new Error(`${expression.name}() passed the parser unknown`);
      // The whole message as bytes, whatever they are: only encode(*) takes them.
      const wholeMessage = expression.arguments[0]?.kind === 'star' && scope === message.payload;
      const values = expression.arguments.map((argument) => evaluate(argument, scope, message));
      return definition.call(values, message, wholeMessage);
    }
    case 'select':
      return evaluateNested(expression, scope, message);
  }
}

function select(selection: Selection, scope: Value, message: Message): Value {
  if (selection.kind === 'value') return evaluate(selection.value, scope, message);
  if (selection.star && selection.items.length === 0) return scope;
  return selection.items.reduce(
    (selected, { value, as }) => withMember(selected, as, evaluate(value, scope, message)),
    selection.star && isObject(scope) ? scope : {},
  );
}

/** Of an array each element that fits, of an object the object itself. */
function evaluateNested(
  { selection, from, where }: Extract<Expression, { kind: 'select' }>,
  scope: Value,
  message: Message,
): Value {
  const source = evaluate(from, scope, message);
  const fits = (element: Value) => !where || toBoolean(evaluate(where, element, message)) === true;
  if (Array.isArray(source)) {
    return source
      .filter(fits)
      .map((element) => select(selection, element, message))
      .filter((selected) => selected !== undefined);
  }
  return isObject(source) && fits(source) ? select(selection, source, message) : undefined;
}

function evaluateCase(
  { subject, branches, otherwise }: Extract<Expression, { kind: 'case' }>,
  scope: Value,
  message: Message,
): Value {
  const value = evaluate(subject, scope, message);
  if (value === undefined) return undefined;
  const branch = branches.find(({ when }) => compare('=', value, evaluate(when, scope, message)) === true);
  const chosen = branch ? branch.result : otherwise;
  return chosen && evaluate(chosen, scope, message);
}

function compare(operator: ComparisonOperator, left: Value, right: Value): boolean | undefined {
  if (left === undefined || right === undefined) return undefined;
  if (operator === '=') return equal(left, right);
  if (operator === '<>') return !equal(left, right);
  const [a, b] = [toDecimal(left), toDecimal(right)];
  if (a === undefined || b === undefined) return undefined;
  switch (operator) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
  }
}

function calculate(operator: ArithmeticOperator, left: Value, right: Value): Value {
  if (operator === '+' && (typeof left === 'string' || typeof right === 'string')) {
    const [a, b] = [toText(left), toText(right)];
    return a === undefined || b === undefined ? undefined : a + b;
  }
  const [a, b] = [toDecimal(left), toDecimal(right)];
  if (a === undefined || b === undefined) return undefined;
  switch (operator) {
    case '+':
      return finite(a + b);
    case '-':
      return finite(a - b);
    case '*':
      return finite(a * b);
    case '/':
      // Int by Int is an Int.
      return finite(Number.isInteger(left) && Number.isInteger(right) ? Math.trunc(a / b) : a / b);
    case '%':
      return finite(a % b);
  }
}

function cast(value: Value, to: CastTarget): Value {
  if (to === 'string') return toText(value);
  if (to === 'boolean') return typeof value === 'number' ? value !== 0 : toBoolean(value);
  const number = typeof value === 'boolean' ? Number(value) : toDecimal(value);
  if (number === undefined) return undefined;
  return to === 'int' ? Math.floor(number) : number;
}
