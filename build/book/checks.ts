/** Everything that a document can get wrong about the code, as `file:line: what`. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { BeamChecker } from './beam-commands.ts';
import { jsonFault, tomlFault } from './examples.ts';
import { type CodeBlock, type MarkdownFile, readMarkdown } from './markdown.ts';
import { mermaidFault } from './mermaid.ts';
import { shellCommands } from './shell.ts';
import { tfvarsFault } from './tfvars.ts';

export type Book = ReadonlyMap<string, MarkdownFile>;

const notOurs = new Set(['node_modules', 'dist', '.git', '.beam']);

/** Every Markdown file of the repository, by its path in it. */
export function readBook(root: string): Book {
  const book = new Map<string, MarkdownFile>();
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!notOurs.has(entry.name)) visit(path);
      } else if (entry.name.endsWith('.md')) {
        book.set(relative(root, path), readMarkdown(readFileSync(path, 'utf8')));
      }
    }
  };
  visit(root);
  return book;
}

/** Relative links whose file or heading is not there. */
export function deadLinks(root: string, book: Book): string[] {
  return [...book].flatMap(([file, { links }]) =>
    links.flatMap(({ line, text }) => {
      if (/^[a-z][a-z+.-]*:/i.test(text)) return [];
      const [path = '', anchor] = text.split('#');
      const target = path === '' ? file : relative(root, resolve(root, dirname(file), path));
      if (!existsSync(join(root, target))) return [`${file}:${line}: link to ${text}: there is no ${target}`];
      const known = book.get(target)?.anchors;
      if (anchor !== undefined && known && !known.has(anchor))
        return [`${file}:${line}: link to ${text}: ${target} has no heading of that name`];
      return [];
    }),
  );
}

/** Documents that are named in a text and are not there. */
export function deadMentions(root: string, texts: ReadonlyMap<string, string>): string[] {
  return [...texts].flatMap(([file, text]) =>
    text
      .split('\n')
      .flatMap((line, index) =>
        [...line.matchAll(/\bdocs\/[\w./-]+\.md\b/g)].flatMap(([named]) =>
          existsSync(join(root, named)) ? [] : [`${file}:${index + 1}: there is no ${named}`],
        ),
      ),
  );
}

/** What the commands of a document are held to. */
export interface KnownCommands {
  beam: BeamChecker;
  /** Of package.json. */
  scripts: ReadonlySet<string>;
}

export function blockFaults(file: string, block: CodeBlock, known: KnownCommands): string[] {
  const at = (line: number, fault: string) => `${file}:${block.line + line}: ${fault}`;
  switch (block.language) {
    case 'toml': {
      const fault = tomlFault(block.text, block.example);
      return fault === undefined ? [] : [at(0, fault)];
    }
    case 'json': {
      const fault = jsonFault(block.text, block.example);
      return fault === undefined ? [] : [at(0, fault)];
    }
    case 'hcl': {
      const fault = tfvarsFault(block.text);
      return fault === undefined ? [] : [at(0, fault)];
    }
    case 'mermaid': {
      const fault = mermaidFault(block.text);
      return fault === undefined ? [] : [at(fault.line, fault.text)];
    }
    case 'sh':
    case '':
      return shellCommands(block.text).flatMap(({ line, words }) => {
        const fault = commandFault(words, known);
        return fault === undefined ? [] : [at(line, `${words.join(' ')}: ${fault}`)];
      });
    default:
      return [];
  }
}

export function commandFault(words: readonly string[], { beam, scripts }: KnownCommands): string | undefined {
  const [command, first, ...rest] = words;
  if (command === 'beam') return beam.whole(words.slice(1));
  if (command !== 'npm') return undefined;
  const dashes = rest.indexOf('--');
  if (first === 'start') return beam.whole(['up', ...(dashes < 0 ? [] : rest.slice(dashes + 1))]);
  if (first !== 'run') return undefined;
  const script = rest.find((word) => !word.startsWith('-'));
  return script === undefined || scripts.has(script) ? undefined : `package.json has no script ${script}`;
}

/** Code within a line that names a command of ours. */
export function spanFault(span: string, known: KnownCommands): string | undefined {
  const [command] = shellCommands(span);
  if (!command) return undefined;
  return command.words[0] === 'beam'
    ? known.beam.partial(command.words.slice(1))
    : commandFault(command.words, known);
}

/** What bash itself says of the shell of a document; all of it in one go. */
export function shellSyntaxFaults(book: Book): string[] {
  return [...book].flatMap(([file, { blocks }]) => {
    const shell = blocks.filter(({ language }) => language === 'sh');
    if (shell.length === 0) return [];
    // Each block on the lines that it has in the document, so that bash tells those.
    const script = shell.reduce((text, block) => {
      const missing = block.line - 1 - (text.split('\n').length - 1);
      return `${text}${'\n'.repeat(Math.max(0, missing))}${block.text}`;
    }, '');
    const { status, stderr } = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });
    return status === 0
      ? []
      : stderr
          .trim()
          .split('\n')
          .map((text) => `${file}: ${text}`);
  });
}
