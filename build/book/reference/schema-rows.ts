/** A zod schema as rows of a table: path, type, whether it must be there, what its source's comment says. */

import * as z from 'zod';

export interface SchemaRow {
  path: string;
  type: string;
  needed: boolean;
  /** As JSON; undefined: none. */
  defaultValue: string | undefined;
}

interface Json {
  $ref?: string;
  type?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Json[];
  oneOf?: Json[];
  properties?: Record<string, Json>;
  required?: string[];
  additionalProperties?: Json | boolean;
  items?: Json;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  format?: string;
  pattern?: string;
  /** What the schema's own check says of a wrong value. */
  must?: string;
}

/** Schemas that have a table of their own: rows name them and go no further. */
export type NamedSchemas = ReadonlyMap<z.ZodType, string>;

export function schemaRows(schema: z.ZodType, named: NamedSchemas): SchemaRow[] {
  const registry = z.registry<{ id: string }>();
  for (const [each, id] of named) if (each !== schema) registry.add(each, { id });
  const json = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    metadata: registry,
    override: ({ zodSchema, jsonSchema }) => {
      const must = wordsOfChecks(zodSchema);
      if (must !== undefined) (jsonSchema as Json).must = must;
    },
  }) as Json;
  return rowsBelow(json, '');
}

/** The words of the first check that has words of its own. */
function wordsOfChecks(schema: z.core.$ZodType): string | undefined {
  const checks = [schema._zod.def, ...(schema._zod.def.checks ?? []).map((check) => check._zod.def)];
  for (const def of checks) {
    if (!('error' in def) || typeof def.error !== 'function') continue;
    const said: unknown = Reflect.apply(def.error, undefined, [{}]);
    if (typeof said === 'string') return said;
  }
  return undefined;
}

function rowsBelow(schema: Json, prefix: string): SchemaRow[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const row: SchemaRow = {
      path,
      type: typeText(child),
      needed: required.has(name),
      defaultValue: child.default === undefined ? undefined : JSON.stringify(child.default),
    };
    const inner = child.type === 'array' ? child.items : child;
    const below = inner?.properties ? rowsBelow(inner, child.type === 'array' ? `${path}[]` : path) : [];
    return [row, ...below];
  });
}

function typeText(schema: Json): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? '';
    return name.startsWith('__schema') ? 'JSON' : `*${name}*`;
  }
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum) return schema.enum.map(code).join(', ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map(typeText).join(' or ');
  switch (schema.type) {
    case 'object':
      return typeof schema.additionalProperties === 'object' && !schema.properties
        ? `map of ${typeText(schema.additionalProperties)}`
        : 'object';
    case 'array':
      return `list of ${schema.items ? typeText(schema.items) : 'JSON'}${schema.maxItems === undefined ? '' : `, at most ${schema.maxItems}`}`;
    case 'string':
      return stringText(schema);
    case 'integer':
    case 'number':
      return numberText(schema);
    case 'boolean':
      return 'true or false';
    default:
      return 'JSON';
  }
}

function code(value: unknown): string {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function stringText({ format, must, maxLength, minLength }: Json): string {
  if (format === 'uri') return 'URL';
  if (must !== undefined) return `text: ${must}`;
  if (maxLength !== undefined) return `text, at most ${maxLength}`;
  return minLength !== undefined && minLength > 1 ? `text, at least ${minLength}` : 'text';
}

function numberText({ type, minimum, maximum, exclusiveMinimum }: Json): string {
  const what = type === 'integer' ? 'whole number' : 'number';
  const low = minimum ?? exclusiveMinimum;
  const above = exclusiveMinimum === undefined || minimum !== undefined ? '' : 'above ';
  const isBound = (bound: number | undefined): bound is number =>
    bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
  if (isBound(low) && isBound(maximum)) return `${what}, ${above}${low} to ${maximum}`;
  if (isBound(low)) return `${what}, ${above === '' ? 'from ' : above}${low}`;
  return isBound(maximum) ? `${what}, at most ${maximum}` : what;
}
