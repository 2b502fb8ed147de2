/** Whether a command that a document shows is one that `beam` takes: parsed by the program itself, and not run. */

import { type Command, CommanderError } from 'commander';
import { beamProgram } from '../../cli/program.ts';

/** The program with nothing behind its commands. */
function idleProgram(): Command {
  const idle = (command: Command): void => {
    command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
    // Each, so that nothing is ever run; one that only holds others needs one of them.
    const holds = command.commands.length > 0 && command.options.length === 0;
    command.action(() => {
      if (holds) throw new CommanderError(1, 'beam.noCommand', `${command.name()} needs one of its commands`);
    });
    for (const each of command.commands) idle(each);
  };
  const program = beamProgram();
  idle(program);
  return program;
}

export interface BeamChecker {
  /** @param args behind `beam`, as they would be run. @returns what is wrong, or undefined */
  whole(args: readonly string[]): string | undefined;
  /** Of a command that is named, not given in full: it and its options exist. */
  partial(args: readonly string[]): string | undefined;
}

export function openBeamChecker(): BeamChecker {
  const program = idleProgram();
  return {
    whole: (args) => wholeFault(program, args),
    partial: (args) => partialFault(program, args),
  };
}

function wholeFault(program: Command, args: readonly string[]): string | undefined {
  if (args.some((word) => word.includes('…'))) return partialFault(program, args);
  try {
    program.parse([...args], { from: 'user' });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? undefined : error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  }
}

function partialFault(program: Command, args: readonly string[]): string | undefined {
  let commands = [program];
  let isValue = false;
  for (const word of args) {
    if (isValue && !word.startsWith('-')) {
      isValue = false;
      continue;
    }
    if (word.startsWith('-')) {
      const flag = word.replace(/[=,].*$/, '');
      const options = commands.flatMap((command) => command.options);
      const option = options.find(({ long, short }) => long === flag || short === flag);
      if (!option && flag !== '--help' && flag !== '-h') return `unknown option '${flag}'`;
      isValue = flag === word && option !== undefined && (option.required || option.optional);
      continue;
    }
    const below = commands.flatMap((command) => command.commands);
    if (below.length === 0 || word.includes('…')) continue;
    const next = word.split('|').map((name) => below.find((command) => command.name() === name) ?? name);
    const unknown = next.find((each) => typeof each === 'string');
    if (unknown !== undefined) return unknown === 'help' ? undefined : `unknown command '${unknown}'`;
    commands = next.filter((each) => typeof each !== 'string');
  }
  return undefined;
}
