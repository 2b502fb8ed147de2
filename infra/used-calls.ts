/**
 * What a program of ours calls on AWS and reads of its environment, told from its source: every function and method that
 * its entry leads to (by name, so rather one too many than one too few), with the SDK's commands in it, and the methods of
 * what is called `dynamodb` (lambdas/aws/dynamodb.ts).
 */

import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { parseSync } from '@swc/core';

export interface UsedCall {
  /** As IAM has it: `dynamodb:GetItem`. */
  action: string;
  /** The file that makes the call, relative to the root. */
  file: string;
}

export interface Used {
  calls: UsedCall[];
  /** `process.env.NAME`. */
  environment: Set<string>;
  /** `shadows.get(thing, NAME)` and `shadows.write(thing, NAME, …)`. */
  shadowsRead: Set<string>;
  shadowsWritten: Set<string>;
  /** `topics.NAME(…)` of protocol/topics.ts. */
  topics: Set<string>;
  /** `trigger: z.literal(NAME)`: the events that it knows. */
  triggers: Set<string>;
}

/** IAM's prefix of each client package. */
const services: Record<string, string> = {
  '@aws-sdk/client-ec2': 'ec2',
  '@aws-sdk/client-iot': 'iot',
  '@aws-sdk/client-iot-data-plane': 'iot',
  '@aws-sdk/client-kms': 'kms',
  '@aws-sdk/client-sns': 'sns',
};

type Node = Record<string, unknown> & { type: string };
const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';

function* walk(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const each of value) yield* walk(each);
  else if (typeof value === 'object' && value !== null) {
    if (isNode(value)) yield value;
    for (const each of Object.values(value)) yield* walk(each);
  }
}

/** The name of an identifier, private or not, or a text's value. */
const nameOf = (node: unknown): string | undefined =>
  isNode(node) && ['Identifier', 'PrivateName', 'StringLiteral'].includes(node.type)
    ? String(node.value)
    : undefined;

interface Unit {
  /** `.name` of a method, which counts once it is called; a function counts once it is named. */
  name: string;
  file: string;
  body: unknown;
}

interface Source {
  units: Unit[];
  imports: string[];
  /** Service of each command class that the file imports. */
  commands: Map<string, string>;
}

function readSource(path: string, root: string): Source {
  const { body } = parseSync(readFileSync(path, 'utf8'), { syntax: 'typescript', target: 'es2022' });
  const file = relative(root, path);
  const source: Source = { units: [], imports: [], commands: new Map() };
  const rest: unknown[] = [];
  for (const statement of body as unknown as Node[]) {
    const declaration = (statement.type === 'ExportDeclaration' ? statement.declaration : statement) as Node;
    if (statement.type === 'ImportDeclaration') readImport(statement, source);
    else if (declaration.type === 'FunctionDeclaration')
      source.units.push({ name: nameOf(declaration.identifier) ?? '', file, body: declaration });
    else if (declaration.type === 'ClassDeclaration') {
      for (const member of declaration.body as Node[]) {
        const name =
          member.type === 'Constructor' ? nameOf(declaration.identifier) : `.${nameOf(member.key)}`;
        source.units.push({ name: name ?? '', file, body: member });
      }
    } else rest.push(declaration);
  }
  source.units.push({ name: '', file, body: rest });
  return source;
}

function readImport(statement: Node, source: Source): void {
  const specifiers = statement.specifiers as Node[];
  if (statement.typeOnly === true) return;
  const from = nameOf(statement.source) ?? '';
  const values = specifiers.filter((each) => each.isTypeOnly !== true);
  if (specifiers.length > 0 && values.length === 0) return;
  if (from.startsWith('.')) source.imports.push(from);
  else if (from.startsWith('@aws-sdk/client-')) {
    const service = services[from];
    if (!service)
      throw new Error(`${from}: infra/used-calls.ts does not know IAM's prefix of it: add it there`);
    for (const each of values) {
      const name = nameOf(each.local) ?? '';
      if (name.endsWith('Command')) source.commands.set(name, service);
    }
  }
}

/** The file and all that it imports of ours, types aside. */
function closure(entry: string, root: string): Map<string, Source> {
  const sources = new Map<string, Source>();
  const waiting = [resolve(root, entry)];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (sources.has(path) || !path.endsWith('.ts')) continue;
    const source = readSource(path, root);
    sources.set(path, source);
    for (const specifier of source.imports) waiting.push(resolve(dirname(path), specifier));
  }
  return sources;
}

/** @param handler the export that is called; a file's own statements run in any case */
export function usedBy(entry: string, handler: string, root: string): Used {
  const sources = closure(entry, root);
  const units = [...sources.values()].flatMap((source) => source.units.map((unit) => ({ unit, source })));
  const used: Used = {
    calls: [],
    environment: new Set(),
    shadowsRead: new Set(),
    shadowsWritten: new Set(),
    topics: new Set(),
    triggers: new Set(),
  };
  const reached = new Set<Unit>();
  const names = new Set(['', handler]);
  for (let before = -1; before !== reached.size; ) {
    before = reached.size;
    for (const { unit, source } of units) {
      if (reached.has(unit) || !names.has(unit.name)) continue;
      reached.add(unit);
      for (const node of walk(unit.body)) {
        if (node.type === 'Identifier') names.add(String(node.value));
        if (node.type === 'CallExpression' && isNode(node.callee) && node.callee.type === 'MemberExpression')
          names.add(`.${nameOf(node.callee.property)}`);
        note(node, unit, source, used);
      }
    }
  }
  return used;
}

function note(node: Node, { file }: Unit, { commands }: Source, used: Used): void {
  if (node.type === 'NewExpression') {
    const command = nameOf(node.callee) ?? '';
    const service = commands.get(command);
    if (service) used.calls.push({ action: `${service}:${command.replace(/Command$/, '')}`, file });
  }
  if (node.type === 'MemberExpression' && isNode(node.object) && node.object.type === 'MemberExpression') {
    if (nameOf(node.object.object) === 'process' && nameOf(node.object.property) === 'env')
      used.environment.add(nameOf(node.property) ?? '');
  }
  if (node.type === 'KeyValueProperty' && nameOf(node.key) === 'trigger' && isNode(node.value)) {
    const [first] = (node.value.arguments ?? []) as { expression: unknown }[];
    const literal = isNode(node.value.callee) && nameOf(node.value.callee.property) === 'literal';
    if (literal && first) used.triggers.add(nameOf(first.expression) ?? '');
  }
  if (node.type === 'CallExpression' && isNode(node.callee) && node.callee.type === 'MemberExpression') {
    const { object, property } = node.callee;
    const receiver = nameOf(object) ?? (isNode(object) ? nameOf(object.property) : undefined);
    const method = nameOf(property) ?? '';
    if (receiver === 'topics') used.topics.add(method);
    if (receiver === 'dynamodb')
      used.calls.push({
        action: `dynamodb:${method.replace(/^[a-z]/, (first) => first.toUpperCase())}`,
        file,
      });
    if (receiver === 'shadows' && (method === 'get' || method === 'write')) {
      const shadow = nameOf((node.arguments as { expression: unknown }[])[1]?.expression) ?? '*';
      (method === 'get' ? used.shadowsRead : used.shadowsWritten).add(shadow);
    }
  }
}
