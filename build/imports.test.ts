import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * Which folder of ours may import which (docs/architecture.md; the signer's codec is `signer/privval/`).
 * A folder that is missing here may import nothing.
 */
const mayImport: Record<string, string[]> = {
  protocol: [],
  dynamodb: [],
  signer: ['protocol', 'dynamodb'],
  'device-agent': ['protocol'],
  lambdas: ['protocol', 'dynamodb'],
  operator: ['protocol'],
  'certs-scripts': ['protocol'],
  'local-cloud': ['protocol', 'cloud-rules', 'lambdas/manifest.json'],
  'local-chain': ['protocol', 'signer/privval'],
  'local-fleet': ['protocol', 'certs-scripts', 'operator'],
  cli: [
    'protocol',
    'signer',
    'device-agent',
    'operator',
    'certs-scripts',
    'local-cloud',
    'local-fleet',
    'lambdas',
    'local-chain',
  ],
  simulator: ['protocol', 'signer', 'device-agent', 'lambdas', 'cloud-rules', 'local-cloud/engines'],
  infra: ['protocol', 'cloud-rules', 'lambdas/manifest.json', 'local-cloud'],
  build: ['protocol', 'signer', 'cli'],
  fuzz: ['protocol', 'local-cloud', 'certs-scripts'],
  // Measures what the others do: the soak's way to a chain's binary, too.
  bench: [
    'protocol',
    'signer',
    'operator',
    'local-cloud',
    'local-fleet',
    'e2e/chain',
    'e2e/engines',
    'device-agent',
    'lambdas',
  ],
};
/** Tests, and the fixtures that only they import, may reach for the real part beside them. */
const testsMayImport: Record<string, string[]> = {
  signer: ['local-cloud'],
  lambdas: ['local-cloud'],
  'device-agent': ['local-cloud', 'certs-scripts'],
  operator: ['local-cloud', 'certs-scripts'],
  'certs-scripts': ['local-cloud'],
  'local-cloud': ['certs-scripts', 'dynamodb'],
  'local-fleet': [],
  infra: ['build/book'],
};

function* sources(folder: string): Generator<string> {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

/** The relative imports of a file's text, type-only and dynamic ones too. */
function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map((match) => match[1] ?? '');
}

/** This file's own text has imports that are none. */
const self = fileURLToPath(import.meta.url);
const files = Object.keys(mayImport)
  .flatMap((folder) => [...sources(join(root, folder))])
  .filter((file) => file !== self);
const graph = new Map(
  files.map((file) => [
    relative(root, file),
    importsOf(readFileSync(file, 'utf8')).map((specifier) =>
      relative(root, resolve(dirname(file), specifier)),
    ),
  ]),
);

const isOfTests = (file: string) => /(\.test|-fixture)\.ts$/.test(file);

/** Each import that the table does not allow, as `from -> to`. */
function forbidden(imports: ReadonlyMap<string, readonly string[]>): string[] {
  return [...imports].flatMap(([from, targets]) => {
    const folder = from.split('/')[0] ?? '';
    const allowed = [
      'package.json',
      folder,
      ...(mayImport[folder] ?? []),
      ...(isOfTests(from) ? (testsMayImport[folder] ?? []) : []),
    ];
    return targets
      .filter(
        (target) =>
          !allowed.some((place) => target === place || target.startsWith(`${place}/`)) ||
          (isOfTests(target) && !isOfTests(from)),
      )
      .map((target) => `${from} -> ${target}`);
  });
}

/** The first circle of imports found, as a path that ends where it began. */
function circle(imports: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const target of imports.get(file) ?? []) {
      const found = visit(target, [...path, file]);
      if (found) return found;
    }
    done.add(file);
    return undefined;
  };
  for (const file of imports.keys()) {
    const found = visit(file, []);
    if (found) return found;
  }
  return undefined;
}

test('the checks can fail', () => {
  expect(forbidden(new Map([['protocol/a.ts', ['signer/b.ts']]]))).toEqual(['protocol/a.ts -> signer/b.ts']);
  expect(forbidden(new Map([['signer/a.ts', ['signer/b-fixture.ts']]]))).toHaveLength(1);
  expect(
    circle(
      new Map([
        ['a', ['b']],
        ['b', ['a']],
      ]),
    ),
  ).toEqual(['a', 'b', 'a']);
  expect(importsOf("import type { A } from './a.ts';\nawait import('../b.ts')")).toEqual([
    './a.ts',
    '../b.ts',
  ]);
});

test('imports keep to the table of folders', () => {
  expect(graph.size).toBeGreaterThan(5);
  expect(forbidden(graph)).toEqual([]);
});

test('no import goes in a circle', () => {
  expect(circle(graph)).toBeUndefined();
});

test('every import of ours exists', () => {
  const missing = [...graph].flatMap(([from, targets]) =>
    targets.filter((target) => !existsSync(join(root, target))).map((target) => `${from} -> ${target}`),
  );
  expect(missing).toEqual([]);
});
