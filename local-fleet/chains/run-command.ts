/** Runs one command of a chain binary to its end. */

import { execFile } from 'node:child_process';
import { ChainMakeError } from './chain.ts';

const commandTimeoutMs = 60_000;
const outputBytesMax = 32 * 1024 * 1024;
/** Of a failed command's words: its end says why. */
const complaintCharsMax = 1_000;

/**
 * @returns the command's stdout.
 * @throws ChainMakeError with the end of what it said.
 */
export function runCommand(command: readonly string[], signal?: AbortSignal): Promise<string> {
  const [file, ...args] = command;
  if (file === undefined) throw new ChainMakeError('no command given');
  return new Promise((resolve, reject) => {
    execFile(
      file,
      args,
      {
        timeout: commandTimeoutMs,
        maxBuffer: outputBytesMax,
        killSignal: 'SIGKILL',
        ...(signal && { signal }),
      },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout);
        const said = (stderr.trim() || stdout.trim() || error.message).slice(-complaintCharsMax);
        const remedy =
          'code' in error && error.code === 'ENOENT'
            ? `there is no such file; give the path of a chain binary that runs on this machine`
            : said;
        reject(new ChainMakeError(`${[file, ...args].join(' ')}: ${remedy}`, { cause: error }));
      },
    );
  });
}
