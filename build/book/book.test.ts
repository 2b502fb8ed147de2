import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { alertKinds } from '../../protocol/topics.ts';
import { openBeamChecker } from './beam-commands.ts';
import {
  blockFaults,
  commandFault,
  deadLinks,
  deadMentions,
  readBook,
  shellSyntaxFaults,
  spanFault,
} from './checks.ts';
import { readMarkdown } from './markdown.ts';
import { mermaidFault } from './mermaid.ts';
import { referencePages } from './reference/pages.ts';
import { readSource } from './reference/schema-table.ts';
import { metrics } from './reference/signer.ts';
import { unionMembers } from './reference/source-comments.ts';
import { typescriptFaults } from './typescript.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const book = readBook(root);
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
const known = { beam: openBeamChecker(), scripts: new Set(Object.keys(scripts)) };

test('docs/reference is what the code says', () => {
  const stale = Object.entries(referencePages(root)).filter(
    ([path, text]) => readFileSync(join(root, path), 'utf8') !== text,
  );
  expect({ stale: stale.map(([path]) => path), remedy: 'npm run generate -- reference' }).toEqual({
    stale: [],
    remedy: 'npm run generate -- reference',
  });
});

test('every link between documents has its file and heading', () => {
  expect(book.size).toBeGreaterThan(20);
  expect(deadLinks(root, book)).toEqual([]);
});

test('every document that is named is there', () => {
  const texts = [...book.keys()].map((file) => [file, readFileSync(join(root, file), 'utf8')] as const);
  expect(deadMentions(root, new Map(texts))).toEqual([]);
});

test('every command, and every example of TOML, JSON and Mermaid, is one that the code takes', () => {
  const faults = [...book].flatMap(([file, { blocks, spans }]) => [
    ...blocks.flatMap((block) => blockFaults(file, block, known)),
    ...spans.flatMap(({ line, text }) => {
      const fault = spanFault(text, known);
      return fault === undefined ? [] : [`${file}:${line}: ${text}: ${fault}`];
    }),
  ]);
  expect(faults).toEqual([]);
  expect(shellSyntaxFaults(book)).toEqual([]);
});

test('every metric that a document names is served', () => {
  const served = new Set(metrics().map(({ name }) => name));
  const named = [...book.keys()].flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/\bbeam_signer_\w+/g)].map(([name]) => ({
      file,
      name,
    })),
  );
  expect(named.length).toBeGreaterThan(served.size);
  expect(named.filter(({ name }) => !served.has(name.replace(/_(bucket|sum|count)$/, '')))).toEqual([]);
});

test('every example of TypeScript compiles', () => {
  const wrong = readMarkdown('# Example\n\n```ts\nconst fine = 1;\nconst wrong: string = fine;\n```\n');
  expect(typescriptFaults(root, new Map([...book, ['x.md', wrong]]))).toEqual([
    expect.stringContaining("x.md:5: error TS2322: Type 'number' is not assignable to type 'string'"),
  ]);
});

test('every alert and every refusal has its remedy in docs/alerts.md', () => {
  const anchors = book.get('docs/alerts.md')?.anchors ?? new Set();
  const text = readFileSync(join(root, 'docs/alerts.md'), 'utf8');
  expect([...alertKinds, 'rule-failed'].filter((kind) => !anchors.has(kind))).toEqual([]);
  const codes = unionMembers(readSource(root, 'signer/refusal.ts'), 'RefusalCode').map(({ name }) => name);
  expect(codes.length).toBeGreaterThan(20);
  expect(codes.filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
});

test('the checks can fail', () => {
  const wrong = [
    '# A heading, here',
    '[dead](none.md) [gone](#another) [well](#a-heading-here)',
    'see `beam fleet conquer demo` and `beam failover --force`, not `beam failover demo`',
    '```sh',
    'beam signer enrol --no-such-option   # a comment',
    'KEY=1 npx beam shadow edit demo_a role \\',
    "  role=active '--version' many && beam cloud 3< <(echo '|')",
    'npm run no-such-script',
    'npm start -- --validators 9',
    '```',
    '```toml config.toml',
    '[signer]',
    'no_such_key = 1',
    '```',
    '```json role desired',
    '{"role":"active","colour":"red"}',
    '```',
    '```mermaid',
    'sequenceDiagram',
    '  participant a',
    '  a->>b: hello',
    '```',
    '```hcl',
    'no_such_variable = 1',
    '```',
  ].join('\n');
  const file = readMarkdown(wrong);
  const strange = new Map([['x.md', file]]);
  expect(deadLinks('/nowhere', strange)).toEqual([
    'x.md:2: link to none.md: there is no none.md',
    'x.md:2: link to #another: there is no x.md',
    'x.md:2: link to #a-heading-here: there is no x.md',
  ]);
  expect(file.anchors).toEqual(new Set(['a-heading-here']));
  expect(deadMentions(root, new Map([['a.ts', 'see docs/nothing.md']]))).toEqual([
    'a.ts:1: there is no docs/nothing.md',
  ]);
  expect(file.spans.map(({ text }) => spanFault(text, known))).toEqual([
    "unknown command 'conquer'",
    "unknown option '--force'",
    undefined,
  ]);
  expect(file.blocks.flatMap((block) => blockFaults('x.md', block, known))).toEqual([
    "x.md:5: beam signer enrol --no-such-option: unknown option '--no-such-option'",
    expect.stringContaining(
      "x.md:6: beam shadow edit demo_a role role=active --version many: option '--version <n>'",
    ),
    'x.md:8: npm run no-such-script: package.json has no script no-such-script',
    expect.stringContaining("x.md:9: npm start -- --validators 9: option '--validators <n>'"),
    expect.stringContaining('x.md:12: config.toml: signer.no_such_key: no such setting'),
    'x.md:16: has a field that role desired does not have',
    'x.md:21: b is no participant',
    'x.md:24: infra/examples/complete has no variable no_such_variable',
  ]);
  expect(commandFault(['beam', 'failover'], known)).toContain('missing required argument');
  expect(shellSyntaxFaults(new Map([['x.md', readMarkdown('```sh\nif then\n```\n')]]))[0]).toContain(
    'line 2',
  );
  expect(mermaidFault('flowchart LR\n  subgraph a\n  b --> c')?.text).toBe('an end is missing');
});
