/** Markdown of the reference's pages. */

/** The first line of every page that is written by a command. */
export const generatedNote =
  '<!-- Written by `npm run generate -- reference` from the code. Change the code, not this file. -->';

export function page(title: string, ...parts: readonly string[]): string {
  return `${[generatedNote, `# ${title}`, ...parts].join('\n\n').trimEnd()}\n`;
}

export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(heads), `|${heads.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

function cell(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').replace(/\|/g, '\\|');
}

export function fenced(language: string, text: string): string {
  return `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``;
}

export function code(text: string): string {
  return `\`${text}\``;
}

/** A doc comment as a sentence: its line breaks are the source's, links are code. */
export function prose(comment: string): string {
  return comment.replace(/\{@link ([^}]+)\}/g, '`$1`').trim();
}
