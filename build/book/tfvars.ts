/** The documents' HCL: values for infra/examples/complete. `npm run test:infra` has Terraform parse it, too. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const variablesFile = join(import.meta.dirname, '../../infra/examples/complete/variables.tf');

/** @returns which names are no variables of the example, or which it needs and are not there */
export function tfvarsFault(text: string): string | undefined {
  const blocks = [...readFileSync(variablesFile, 'utf8').matchAll(/^variable "(\w+)" \{\n(.*?)^\}/gms)];
  const known = new Map(blocks.map(([, name = '', body = '']) => [name, /^ {2}default\s*=/m.test(body)]));
  const given = new Set([...text.matchAll(/^(\w+)\s*=/gm)].map(([, name = '']) => name));
  const unknown = [...given].filter((name) => !known.has(name));
  const lacking = [...known].filter(([name, hasDefault]) => !hasDefault && !given.has(name));
  if (unknown.length > 0) return `infra/examples/complete has no variable ${unknown.join(', ')}`;
  if (lacking.length > 0)
    return `infra/examples/complete needs ${lacking.map(([name]) => name).join(', ')} as well`;
  return undefined;
}
