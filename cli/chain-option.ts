/** `--chain`: the stand-in, a file, or a command on the PATH. */

import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { standInName } from '../local-fleet/fleet-plan.ts';
import { badInput } from './command-line.ts';

/** @throws CliError where there is no such program */
export function chainOption(chain: string): string {
  if (chain === standInName) return chain;
  if (chain.includes('/')) {
    const path = resolve(chain);
    if (isProgram(path)) return path;
    badInput(`--chain: ${path} is no program; give the path of a chain binary, or '${standInName}'`);
  }
  const found = (process.env.PATH ?? '').split(delimiter).find((folder) => isProgram(join(folder, chain)));
  if (found === undefined) {
    badInput(
      `--chain: there is no ${chain} on the PATH; install it, give its path, or take '${standInName}'`,
    );
  }
  return join(found, chain);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
