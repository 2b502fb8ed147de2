/**
 * Enrols the fleet's consensus key before the chain's first block, by the commands that an operator would use. The first
 * validator writes the sign record, the others join it. Who is enrolled already stays so.
 */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { FleetServer } from './nodes/fleet-server.ts';

const commandMsMax = 30_000;

/** Raised when a signer could not be enrolled; holds what the command said. */
export class EnrolmentError extends Error {
  override readonly name = 'EnrolmentError';
}

/** @param beam the `beam` command */
export async function enrolValidators(
  validators: readonly FleetServer[],
  beam: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const [first, ...others] = validators;
  if (!first) return;
  if (!isEnrolled(first)) {
    await run(beam, ['signer', 'enrol', '--home', first.root, '--chain-not-started', '--yes'], signal);
  }
  const joining = others.filter((server) => !isEnrolled(server));
  await Promise.all(joining.map((server) => run(beam, ['signer', 'join', '--home', server.root], signal)));
}

/** The signer writes this file last, once its state is pinned. */
function isEnrolled({ signerState }: FleetServer): boolean {
  return existsSync(join(signerState, 'enrolled.json'));
}

function run(beam: readonly string[], args: readonly string[], signal: AbortSignal): Promise<void> {
  const [file = '', ...before] = beam;
  return new Promise((resolve, reject) => {
    execFile(file, [...before, ...args], { timeout: commandMsMax, signal }, (error, stdout, stderr) => {
      if (!error) return resolve();
      if (signal.aborted) return reject(signal.reason);
      const said = (stderr.trim() || stdout.trim() || error.message).replace(/^beam: /, '');
      reject(new EnrolmentError(`beam ${args.join(' ')}: ${said}`, { cause: error }));
    });
  });
}
