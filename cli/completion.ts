/** Completion scripts for bash, zsh and fish, written from the commands themselves. */

import type { Command } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface Level {
  /** Names from the program's own on: `beam signer enrol`. */
  path: string;
  words: { word: string; summary: string }[];
}

/** Every command with what can follow it: its subcommands and options. */
function levels(command: Command, above = ''): Level[] {
  const path = above ? `${above} ${command.name()}` : command.name();
  const words = [
    ...command.commands.map((sub) => ({ word: sub.name(), summary: sub.summary() || sub.description() })),
    ...command.options.flatMap(({ long, description }) =>
      long ? [{ word: long, summary: description }] : [],
    ),
    { word: '--help', summary: 'what it does and takes' },
  ];
  return [{ path, words }, ...command.commands.flatMap((sub) => levels(sub, path))];
}

export function completionScript(program: Command, shell: Shell): string {
  const all = levels(program);
  return shell === 'fish' ? fish(all) : shell === 'zsh' ? zsh(all) : bash(all);
}

/** The longest run of words that names a command decides; values of options complete as files. */
function bash(all: Level[]): string {
  return `# bash completion for beam
_beam() {
  local current=\${COMP_WORDS[COMP_CWORD]} path=beam words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if _beam_words "$path $word" >/dev/null; then path="$path $word"; fi
  done
  words=$(_beam_words "$path")
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
_beam_words() {
  case $1 in
${all.map(({ path, words }) => `    '${path}') echo '${words.map(({ word }) => word).join(' ')}' ;;`).join('\n')}
    *) return 1 ;;
  esac
}
complete -o default -F _beam beam
`;
}

function zsh(all: Level[]): string {
  const entry = ({ word, summary }: Level['words'][number]) =>
    `'${word}:${plain(summary).replaceAll(':', '\\:')}'`;
  return `#compdef beam
_beam_words() {
  case $1 in
${all.map(({ path, words }) => `    '${path}') reply=(${words.map(entry).join(' ')}) ;;`).join('\n')}
    *) return 1 ;;
  esac
}
_beam() {
  local path=beam word
  local -a reply
  for word in \${words[2,CURRENT-1]}; do
    if _beam_words "$path $word"; then path="$path $word"; fi
  done
  _beam_words "$path"
  _describe beam reply || _files
}
_beam "$@"
`;
}

function fish(all: Level[]): string {
  const lines = all.flatMap(({ path, words }) =>
    words.map(({ word, summary }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`;
      return `complete -c beam -n '__beam_at "${path}"' ${what} -d '${plain(summary)}'`;
    }),
  );
  return `# fish completion for beam
function __beam_at
    set -l path beam
    for word in (commandline -opc)[2..]
        if contains -- "$path $word" ${all.map(({ path }) => `'${path}'`).join(' ')}
            set path "$path $word"
        end
    end
    test "$path" = "$argv[1]"
end
${lines.join('\n')}
`;
}

/** Within single quotes of any shell. */
function plain(summary: string): string {
  return (summary.split('\n')[0] ?? '').replaceAll("'", '’').slice(0, 120);
}
