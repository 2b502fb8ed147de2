/** The table of one schema: what its code says of each field, beside what the schema itself lets through. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as z from 'zod';
import { type NamedSchemas, schemaRows } from './schema-rows.ts';
import { propertyComments } from './source-comments.ts';
import { code, prose, table } from './tables.ts';

/** Where a schema is declared: a file of ours, and the names in it, the first that tells of a field wins. */
export interface Declared {
  file: string;
  names: readonly string[];
}

export function readSource(root: string, file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

export function commentsOf(root: string, declared: readonly Declared[]): Map<string, string> {
  const comments = new Map<string, string>();
  for (const { file, names } of declared) {
    const source = readSource(root, file);
    for (const name of names) {
      for (const [path, text] of propertyComments(source, name)) {
        if (!comments.has(path)) comments.set(path, prose(text));
      }
    }
  }
  return comments;
}

export interface SchemaTableOptions {
  root: string;
  schema: z.ZodType;
  declared: readonly Declared[];
  named: NamedSchemas;
  /** Of a file that a person writes: what a key is when it is left out. */
  defaults?: boolean;
}

export function schemaTable({ root, schema, declared, named, defaults = false }: SchemaTableOptions): string {
  const comments = commentsOf(root, declared);
  const rows = schemaRows(schema, named).map(({ path, type, needed, defaultValue }) => {
    const said = comments.get(path.replaceAll('[]', '')) ?? '';
    const without = needed
      ? 'needed'
      : defaultValue === undefined || defaultValue === '{}'
        ? ''
        : code(defaultValue);
    return [code(path), type, defaults ? without : needed ? 'always' : 'may be left out', said];
  });
  return table(['field', 'value', defaults ? 'left out' : 'there', 'what it is'], rows);
}
