/** Substitution templates: text with `${expression}`, evaluated on the original message, not on the SELECT's result. */
import { evaluate } from './evaluate.ts';
import type { Message } from './message.ts';
import { parseExpressionAt } from './parser.ts';
import { type Expression, SqlError } from './syntax.ts';
import { toText } from './values.ts';

export type Template = (string | { expression: Expression; source: string })[];

/** @throws SqlError where an expression is not known, or its } is missing */
export function parseTemplate(text: string): Template {
  const template: Template = [];
  let at = 0;
  for (;;) {
    const open = text.indexOf('${', at);
    template.push(text.slice(at, open < 0 ? text.length : open));
    if (open < 0) return template.filter((part) => part !== '');
    const { expression, end } = parseExpressionAt(text, open + 2);
    if (text[end] !== '}') throw new SqlError(text, end, '} is expected: the template does not close');
    template.push({ expression, source: text.slice(open, end + 1) });
    at = end + 1;
  }
}

/** @throws where an expression is Undefined for this message: a text with a hole would name something else */
export function fillTemplate(template: Template, message: Message): string {
  return template
    .map((part) => {
      if (typeof part === 'string') return part;
      const text = toText(evaluate(part.expression, message.payload, message));
      if (text === undefined) throw new Error(`${part.source} is Undefined for this message`);
      return text;
    })
    .join('');
}
