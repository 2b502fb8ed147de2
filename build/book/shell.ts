/**
 * The commands in a piece of shell: as much of a shell's grammar as a document needs. Comments, quotes, continued lines, pipes and
 * lists, assignments and redirections are read; what is in `$(…)` and `<(…)` is one word.
 */

export interface ShellCommand {
  /** Of its first word, from 0. */
  line: number;
  words: string[];
}

export function shellCommands(text: string): ShellCommand[] {
  const commands: ShellCommand[] = [];
  let words: string[] = [];
  let startLine = 0;
  let line = 0;
  let word: string | undefined;
  let skipNext = false;
  let at = 0;
  const endWord = () => {
    if (word !== undefined) {
      if (skipNext) skipNext = false;
      else {
        if (words.length === 0) startLine = line;
        words.push(word);
      }
    }
    word = undefined;
  };
  const endCommand = () => {
    endWord();
    if (words.length > 0) commands.push({ line: startLine, words });
    words = [];
    skipNext = false;
  };
  while (at < text.length) {
    const char = text[at] ?? '';
    const rest = text.slice(at);
    const quoted = /^'([^']*)'|^"((?:[^"\\]|\\[\s\S])*)"/.exec(rest);
    if (quoted) {
      word = (word ?? '') + (quoted[1] ?? (quoted[2] ?? '').replace(/\\(["\\$`])/g, '$1'));
      line += quoted[0].split('\n').length - 1;
      at += quoted[0].length;
    } else if (rest.startsWith('\\\n')) {
      endWord();
      line += 1;
      at += 2;
    } else if (/^[$<>]\(/.test(rest)) {
      const length = bracketLength(rest);
      word = (word ?? '') + rest.slice(0, length);
      at += length;
    } else if (char === '\n') {
      endCommand();
      line += 1;
      at += 1;
    } else if (/^(&&|\|\||[;|&])/.test(rest)) {
      endCommand();
      at += /^(&&|\|\|)/.test(rest) ? 2 : 1;
    } else if (char === '#' && word === undefined) {
      at += rest.indexOf('\n') < 0 ? rest.length : rest.indexOf('\n');
    } else if (/^(>>|>|<)/.test(rest)) {
      // The descriptor's number belongs to the redirection, and so does the next word.
      if (word !== undefined && /^\d+$/.test(word)) word = undefined;
      endWord();
      skipNext = true;
      at += rest.startsWith('>>') ? 2 : 1;
    } else if (/\s/.test(char)) {
      endWord();
      at += 1;
    } else {
      word = (word ?? '') + char;
      at += 1;
    }
  }
  endCommand();
  return commands
    .map((command) => ({ ...command, words: withoutPrefix(command.words) }))
    .filter(({ words: left }) => left.length > 0);
}

function bracketLength(text: string): number {
  let depth = 0;
  for (let at = 1; at < text.length; at += 1) {
    if (text[at] === '(') depth += 1;
    if (text[at] === ')') depth -= 1;
    if (depth === 0) return at + 1;
  }
  return text.length;
}

/** Without a prompt, assignments, and what runs the rest as somebody else. */
function withoutPrefix(words: readonly string[]): string[] {
  const [first = '', ...rest] = words;
  if (first === 'runuser' && rest.includes('--')) return withoutPrefix(rest.slice(rest.indexOf('--') + 1));
  if (first === '$' || first === 'sudo' || first === 'npx' || /^[A-Za-z_]\w*=/.test(first)) {
    const user = first === 'sudo' && rest[0] === '-u' ? rest.slice(2) : rest;
    return withoutPrefix(user);
  }
  return [...words];
}
