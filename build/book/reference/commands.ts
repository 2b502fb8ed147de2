/** Every command of `beam`, from the program that reads them. */

import { EventEmitter } from 'node:events';
import type { Argument, Command, Option } from 'commander';
import { exitCodes } from '../../../cli/errors.ts';
import { beamProgram } from '../../../cli/program.ts';
import { readSource } from './schema-table.ts';
import { propertyComments } from './source-comments.ts';
import { code, fenced, page, table } from './tables.ts';

export function commandsPage(root: string): string {
  const program = beamProgram();
  const comments = propertyComments(readSource(root, 'cli/errors.ts'), 'exitCodes');
  const exits = Object.entries(exitCodes).map(([name, value]) => [
    code(String(value)),
    comments.get(name) ?? '',
  ]);
  return page(
    'Commands',
    program.description(),
    ...afterHelp(program),
    '## Exit codes',
    table(['code', 'when'], [[code('0'), 'Done.'], ...exits]),
    '`beam start` and `beam signer start` are services, and end with codes of sysexits(3), so that a supervisor can tell what is worth another try:',
    table(
      ['code', '`beam start`', '`beam signer start`'],
      serviceExits(readSource(root, 'device-agent/main.ts'), readSource(root, 'signer/main.ts')),
    ),
    ...documented(program).flatMap((command) => commandPart(command)),
  );
}

const exitMeanings: Record<string, string> = {
  usage: 'bad arguments',
  unavailable: 'the consensus key was not to be had (KMS does not answer): try again',
  failed: 'a fault that is not known; see its log',
  disk: 'the disk took no state: make room, then start it again',
  inUse: 'another signer runs on this state',
  config: 'configuration, key or certificate can not be used; the log says what to do',
};

/** The codes of the two processes, as their own sources name them. */
function serviceExits(pilot: string, signer: string): string[][] {
  const codesIn = (source: string) => {
    const [, list = ''] = /const exitCodes = \{([^}]*)\}/.exec(source) ?? [];
    return new Map([...list.matchAll(/(\w+): (\d+)/g)].map(([, name = '', number = '']) => [number, name]));
  };
  const [ofPilot, ofSigner] = [codesIn(pilot), codesIn(signer)];
  const numbers = [...new Set([...ofPilot.keys(), ...ofSigner.keys()])].filter((number) => number !== '0');
  const meaning = (name: string | undefined) => {
    const known = name === 'configuration' ? 'config' : name;
    if (known === undefined) return '';
    const text = exitMeanings[known];
    if (text === undefined)
      throw new Error(`exit code ${known} has no words in build/book/reference/commands.ts`);
    return text;
  };
  return numbers
    .sort((a, b) => Number(a) - Number(b))
    .map((number) => [code(number), meaning(ofPilot.get(number)), meaning(ofSigner.get(number))]);
}

/** Commands that do something, in the order in which help lists them. */
function documented(command: Command): Command[] {
  const own = command.commands.length === 0 || (command.parent !== null && command.options.length > 0);
  return [...(own ? [command] : []), ...command.commands.flatMap(documented)];
}

export function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

function commandPart(command: Command): string[] {
  const usage = [fullName(command), ...command.registeredArguments.map(argumentText)].join(' ');
  return [
    `## ${fullName(command)}`,
    fenced('text', `${usage}${command.options.length > 0 ? ' [options]' : ''}`),
    command.description(),
    table(
      ['option', 'what it does'],
      command.options.map((option) => [code(option.flags), optionText(option)]),
    ),
    ...afterHelp(command),
  ];
}

function argumentText(argument: Argument): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name();
  return argument.required ? `<${name}>` : `[${name}]`;
}

function optionText(option: Option): string {
  const notes = [
    ...(option.mandatory ? ['needed'] : []),
    ...(option.argChoices ? [option.argChoices.map(code).join(', ')] : []),
    ...(option.defaultValue !== undefined && !option.negate && !option.isBoolean()
      ? [`default: ${code(String(option.defaultValue))}`]
      : []),
  ];
  return `${option.description}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`;
}

/** What a command's help says below its options: the commands in it as code. */
function afterHelp(command: Command): string[] {
  let text = '';
  const write = (part: string) => {
    text += part;
  };
  const emitter: unknown = command;
  if (emitter instanceof EventEmitter) emitter.emit('afterHelp', { error: false, command, write });
  const paragraphs = text
    .split(/\n{2,}|\n(?=Examples:|Exit code)/)
    .map((paragraph) => paragraph.replace(/^\n+|\s+$/g, ''))
    .filter((paragraph) => paragraph !== '' && !paragraph.startsWith('Exit codes:'));
  return paragraphs.flatMap((paragraph) => {
    const [first = '', ...rest] = paragraph.split('\n');
    if (rest.length === 0) return [paragraph];
    if (rest.every((line) => /^ {2,}\$? ?/.test(line)) && rest.some((line) => line.startsWith('  $ ')))
      return [
        first,
        fenced('sh', rest.map((line) => line.replace(/^ {2}\$ /, '').replace(/^ {2}/, '')).join('\n')),
      ];
    if (rest.every((line) => line.startsWith('  ')))
      return [first, fenced('text', rest.map((line) => line.slice(2)).join('\n'))];
    return [[first, ...rest].join(' ')];
  });
}
