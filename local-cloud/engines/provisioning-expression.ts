/** Intrinsic functions of provisioning templates: Ref, Fn::Join, Fn::Select, Fn::Split, Fn::FindInMap, Fn::Sub. */

import { isObject, type JsonValue } from './json-tree.ts';

export interface TemplateScope {
  parameters: ReadonlyMap<string, string>;
  mappings: Record<string, Record<string, Record<string, JsonValue>>>;
}

export type Resolved = { value: JsonValue } | { fault: string };

/** A template's own size is bounded; what functions make of it is, too. */
const depthMax = 32;
const textCharsMax = 65_536;

class Fault extends Error {}

/** @returns the value with every function in it worked out, or why that can't be done */
export function resolveExpression(value: JsonValue, scope: TemplateScope): Resolved {
  try {
    return { value: evaluate(value, scope, 0) };
  } catch (error) {
    if (error instanceof Fault) return { fault: error.message };
    throw error;
  }
}

function evaluate(value: JsonValue, scope: TemplateScope, depth: number): JsonValue {
  if (depth > depthMax) throw new Fault(`is nested deeper than ${depthMax}`);
  if (Array.isArray(value)) return value.map((each) => evaluate(each, scope, depth + 1));
  if (!isObject(value)) return value;
  const [[name, argument] = [], ...others] = Object.entries(value);
  if (name !== undefined && argument !== undefined && (name === 'Ref' || name.startsWith('Fn::'))) {
    if (others.length > 0) throw new Fault(`${name} must stand alone in its object`);
    return call(name, argument, scope, depth + 1);
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, evaluate(child, scope, depth + 1)]),
  );
}

function call(name: string, argument: JsonValue, scope: TemplateScope, depth: number): JsonValue {
  if (name === 'Ref') return parameter(argument, scope);
  if (name === 'Fn::Sub') return substitute(argument, scope, depth);
  if (!Array.isArray(argument)) throw new Fault(`${name} must have a list of arguments`);
  const values = argument.map((each) => evaluate(each, scope, depth));
  switch (name) {
    case 'Fn::Join': {
      const [separator, parts] = values;
      if (typeof separator !== 'string' || !isTexts(parts)) {
        throw new Fault('Fn::Join takes a separator and a list of strings');
      }
      return bounded(parts.join(separator));
    }
    case 'Fn::Split': {
      const [separator, text] = values;
      if (typeof separator !== 'string' || typeof text !== 'string' || separator === '') {
        throw new Fault('Fn::Split takes a separator and a string');
      }
      return text.split(separator);
    }
    case 'Fn::Select': {
      const [at, list] = values;
      const chosen = Array.isArray(list) ? list[Number(at)] : undefined;
      if (chosen === undefined || chosen === null) {
        throw new Fault(`Fn::Select finds nothing at ${JSON.stringify(at)}`);
      }
      return chosen;
    }
    case 'Fn::FindInMap': {
      if (values.length !== 3 || !isTexts(values)) throw new Fault('Fn::FindInMap takes three strings');
      const found = values.reduce<JsonValue | undefined>(
        (map, key) => (map !== undefined && isObject(map) && Object.hasOwn(map, key) ? map[key] : undefined),
        scope.mappings,
      );
      if (found === undefined) throw new Fault(`Fn::FindInMap finds no ${values.join('.')}`);
      return found;
    }
    default:
      throw new Fault(`${name} is no function of provisioning templates`);
  }
}

function parameter(name: JsonValue, { parameters }: TemplateScope): string {
  const value = typeof name === 'string' ? parameters.get(name) : undefined;
  if (value === undefined) throw new Fault(`Ref names no parameter: ${JSON.stringify(name)}`);
  return value;
}

/** `"text ${Name}"`, or `["text ${Name}", {"Name": value}]`; `${!Name}` is the text `${Name}`. */
function substitute(argument: JsonValue, scope: TemplateScope, depth: number): string {
  const [text, own] = Array.isArray(argument) ? argument : [argument, {}];
  if (typeof text !== 'string' || (own !== undefined && !isObject(own))) {
    throw new Fault('Fn::Sub takes a string, and an object of variables');
  }
  return bounded(
    text.replace(/\$\{(!?)([^}]*)\}/g, (_all, literal: string, name: string) => {
      if (literal) return `\${${name}}`;
      const given = own !== undefined && Object.hasOwn(own, name) ? own[name] : undefined;
      const value = given === undefined ? parameter(name, scope) : evaluate(given, scope, depth);
      if (typeof value !== 'string') throw new Fault(`Fn::Sub: ${name} is no string`);
      return value;
    }),
  );
}

function isTexts(value: JsonValue | undefined): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function bounded(text: string): string {
  if (text.length > textCharsMax) throw new Fault(`makes a text of more than ${textCharsMax} characters`);
  return text;
}
