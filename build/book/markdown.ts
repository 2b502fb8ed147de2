/** What the checks need of a Markdown file: its code, links and headings, each with its line. */

import MarkdownIt from 'markdown-it';

export interface CodeBlock {
  /** Line of the first line of code, from 1. */
  line: number;
  /** Of the fence's info string: the language; empty for indented code. */
  language: string;
  /** What follows the language in the info string: what the block is an example of. */
  example: string;
  text: string;
}

export interface Spot {
  line: number;
  text: string;
}

export interface MarkdownFile {
  blocks: CodeBlock[];
  /** Code within a line. */
  spans: Spot[];
  links: Spot[];
  /** GitHub's anchors of the headings. */
  anchors: Set<string>;
}

const parser = new MarkdownIt({ html: true });

export function readMarkdown(text: string): MarkdownFile {
  const file: MarkdownFile = { blocks: [], spans: [], links: [], anchors: new Set() };
  let inHeading = false;
  for (const token of parser.parse(text, {})) {
    const line = (token.map?.[0] ?? 0) + 1;
    if (token.type === 'fence') {
      const [language = '', ...example] = token.info.trim().split(/\s+/);
      file.blocks.push({ line: line + 1, language, example: example.join(' '), text: token.content });
    } else if (token.type === 'code_block') {
      file.blocks.push({ line, language: '', example: '', text: token.content });
    } else if (token.type === 'heading_open') {
      inHeading = true;
    } else if (token.type === 'inline') {
      readInline(token.children ?? [], line, file);
      if (inHeading) addAnchor(file.anchors, headingText(token.children ?? []));
      inHeading = false;
    }
  }
  return file;
}

type Token = ReturnType<MarkdownIt['parse']>[number];

function readInline(children: readonly Token[], firstLine: number, file: MarkdownFile): void {
  let line = firstLine;
  for (const child of children) {
    if (child.type === 'softbreak' || child.type === 'hardbreak') line += 1;
    if (child.type === 'code_inline') file.spans.push({ line, text: child.content });
    const target =
      child.type === 'link_open'
        ? child.attrGet('href')
        : child.type === 'image'
          ? child.attrGet('src')
          : null;
    if (target !== null) file.links.push({ line, text: decodeURI(target) });
  }
}

function headingText(children: readonly Token[]): string {
  return children
    .map(({ type, content }) => (type === 'text' || type === 'code_inline' ? content : ''))
    .join('');
}

/** As GitHub makes them: lower case, no punctuation, `-` for a space, a number where there is one already. */
function addAnchor(anchors: Set<string>, heading: string): void {
  const plain = heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
  let anchor = plain;
  for (let n = 1; anchors.has(anchor); n += 1) anchor = `${plain}-${n}`;
  anchors.add(anchor);
}
