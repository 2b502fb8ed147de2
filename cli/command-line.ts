/** What all commands share: how they are written down, run, and how their results are told. */

import { type Command, CommanderError, InvalidArgumentError } from 'commander';
import { CliError, describeError, exitCodeOf, exitCodes } from './errors.ts';

export interface CommonOptions {
  json?: boolean;
  verbose?: boolean;
}

/** Where the exit code of the command that ran is left; Commander hands on no results. */
let exitCode = 0;

/** Wraps a command's work: its number is the exit code, what it throws is told as one line. */
export function run<A extends unknown[]>(
  work: (...args: A) => Promise<number | undefined>,
): (...args: A) => Promise<void> {
  return async (...args) => {
    exitCode = (await work(...args)) ?? 0;
  };
}

/** One line of JSON, or text. */
export function tell(options: CommonOptions, result: unknown, text: string | (() => string)): void {
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(`${(typeof text === 'string' ? text : text()).replace(/\n*$/, '')}\n`);
}

/** For what a person should see while the result goes to stdout. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Runs the program to its end. @returns the exit code */
export async function runProgram(program: Command, argv: readonly string[]): Promise<number> {
  exitCode = 0;
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has told it already; asking for help is no fault, giving no command is.
      const asked = ['commander.helpDisplayed', 'commander.version', 'commander.help'].includes(error.code);
      return asked && error.exitCode === 0 ? 0 : exitCodes.usage;
    }
    say(`beam: ${describeError(error)}`);
    if (argv.includes('--verbose')) say(String(error instanceof Error ? fullStack(error) : error));
    return exitCodeOf(error);
  }
}

function fullStack(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${fullStack(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

export function seconds(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max)) {
      throw new InvalidArgumentError(`Give seconds from ${min} to ${max}.`);
    }
    return value;
  };
}

/** Options of every command that speaks to a cloud. */
export function withCloudOptions(command: Command): Command {
  return command
    .option('--data <dir>', 'the local fleet of this data folder')
    .option('--endpoint <url>', 'a local cloud by its address (or BEAM_ENDPOINT)')
    .option('--ca <file>', "PEM file of the endpoint's authority (or BEAM_CA)")
    .option('--region <region>', 'AWS region (or AWS_REGION)')
    .option('--aws', 'AWS, though there is a local fleet in this checkout');
}

/** @throws CliError as bad input */
export function badInput(message: string, cause?: unknown): never {
  throw new CliError(message, exitCodes.usage, cause === undefined ? undefined : { cause });
}

/** Examples under a command's help. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`;
}
