/**
 * The doc comments of a declaration's properties, read from our own sources, so that the reference says of a field what its code
 * says. Sources are as Biome formats them (`npm run lint` holds them to it), so indentation tells what lies in what.
 */

export interface PropertyComment {
  /** Names from the declaration down. */
  path: string;
  text: string;
}

/** @returns the comments below `const <declaration> =` (or `type`, `interface`) of a source text, by dotted path. */
export function propertyComments(source: string, declaration: string): Map<string, string> {
  const comments = new Map<string, string>();
  const open: { indent: number; name: string }[] = [];
  let text: string[] = [];
  let inComment = false;
  for (const line of declarationLines(source, declaration)) {
    const indent = line.length - line.trimStart().length;
    const trimmed = line.trim();
    if (inComment || trimmed.startsWith('/**')) {
      if (!inComment) text = [];
      const said = trimmed.replace(/^\/?\*+\/?\s?/, '').replace(/\s*\*\/$/, '');
      if (said !== '') text.push(said);
      inComment = !trimmed.endsWith('*/');
      continue;
    }
    const name = /^(?:'([^']+)'|([A-Za-z_$][\w$]*))\??:/.exec(trimmed);
    const property = name?.[1] ?? name?.[2];
    if (property !== undefined) {
      while ((open.at(-1)?.indent ?? -1) >= indent) open.pop();
      open.push({ indent, name: property });
      if (text.length > 0) comments.set(open.map((each) => each.name).join('.'), text.join(' '));
    }
    text = [];
  }
  return comments;
}

/** The doc comment right above a declaration; empty where there is none. */
export function declarationComment(source: string, declaration: string): string {
  const at = declarationStart(source, declaration);
  const before = source.slice(0, at).trimEnd();
  if (!before.endsWith('*/')) return '';
  return before
    .slice(before.lastIndexOf('/**') + 3, -2)
    .split('\n')
    .map((line) => line.trim().replace(/^\*\s?/, ''))
    .join(' ')
    .trim();
}

/** The members of a union type of string literals, each with the line comment that heads its group. */
export function unionMembers(source: string, declaration: string): { name: string; group: string }[] {
  let group = '';
  return [...declarationLines(source, declaration)].flatMap((line) => {
    const heading = /^\s*\/\/ (.*)$/.exec(line);
    if (heading?.[1] !== undefined) group = heading[1];
    const name = /^\s*\| '([^']+)'/.exec(line)?.[1];
    return name === undefined ? [] : [{ name, group }];
  });
}

function declarationStart(source: string, declaration: string): number {
  const start = new RegExp(`^(?:export )?(?:const|type|interface) ${declaration}\\b`, 'm').exec(source);
  if (!start) throw new Error(`there is no declaration of ${declaration} in its source any more`);
  return start.index;
}

/** What lies between a declaration's first line and the first that is not indented. */
function* declarationLines(source: string, declaration: string): Generator<string> {
  const [, ...lines] = source.slice(declarationStart(source, declaration)).split('\n');
  for (const line of lines) {
    if (/^\S/.test(line)) return;
    yield line;
  }
}

/** The elements of a list of string literals, each with the doc comment above it. */
export function listedComments(source: string, declaration: string): { name: string; text: string }[] {
  let text = '';
  return [...declarationLines(source, declaration)].flatMap((line) => {
    const comment = /^\s*\/\*\* (.*) \*\/$/.exec(line);
    if (comment?.[1] !== undefined) text = comment[1];
    const name = /^\s*'([^']+)',?$/.exec(line)?.[1];
    if (name === undefined) return [];
    const element = { name, text };
    text = '';
    return [element];
  });
}
