/** What a function of the SQL is. Arguments that do not fit give Undefined; what can be known at load is refused there. */
import type { Message } from './message.ts';
import type { Expression } from './syntax.ts';
import { finite, toDecimal, toText, type Value } from './values.ts';

export interface SqlFunction {
  /** Least and most arguments. */
  arity: readonly [number, number];
  /** @param wholeMessage whether the first argument was `*`, standing for the message itself */
  call(values: Value[], message: Message, wholeMessage: boolean): Value;
  /** What is wrong with arguments that are literals. */
  check?(given: Expression[]): string | undefined;
}

/** A function of texts; Undefined where one is none and can't be made one. */
export function ofTexts(count: number, call: (...texts: string[]) => Value): SqlFunction {
  return {
    arity: [count, count],
    call(values) {
      const texts = values.map(toText);
      return texts.every((text) => text !== undefined) ? call(...texts) : undefined;
    },
  };
}

/** A function of numbers; Undefined where one is none, or the result is not real. */
export function ofNumbers(count: number, call: (...numbers: number[]) => number | undefined): SqlFunction {
  return {
    arity: [count, count],
    call(values) {
      const numbers = values.map(toDecimal);
      if (!numbers.every((number) => number !== undefined)) return undefined;
      const result = call(...numbers);
      return result === undefined ? undefined : finite(result);
    },
  };
}

export function literalText(expression: Expression | undefined): string | undefined {
  return expression?.kind === 'literal' && typeof expression.value === 'string'
    ? expression.value
    : undefined;
}
