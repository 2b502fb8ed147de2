/** One `beam up` a data folder: a file that names the process which has it. */

import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, isRunning, type ProcessIdentity, processIdentity } from './process-identity.ts';

const lockName = 'beam-up.pid';

/** Raised when another process runs the fleet of this folder. */
export class FolderInUseError extends Error {
  override readonly name = 'FolderInUseError';
}

/**
 * @returns gives the folder back.
 * @throws FolderInUseError
 */
export function lockFolder(data: string): () => void {
  mkdirSync(data, { recursive: true });
  const file = join(data, lockName);
  const self = identityOf(process.pid) ?? { pid: process.pid, startTime: '' };
  const mine = `${file}.${process.pid}`;
  for (;;) {
    // Linked, so that the name never shows a half-written owner.
    writeFileSync(mine, JSON.stringify(self), { mode: 0o600 });
    try {
      linkSync(mine, file);
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      rmSync(mine, { force: true });
    }
    const owner = readOwner(file);
    if (owner && isRunning(owner)) {
      throw new FolderInUseError(
        `a fleet runs in ${data} already (process ${owner.pid}); stop that one, or give another folder with --data`,
      );
    }
    // The owner was killed. Renaming lets one of two who see this at once take the file away.
    try {
      renameSync(file, mine);
      rmSync(mine, { force: true });
    } catch {
      // The other one was faster; the next try tells.
    }
  }
}

function readOwner(file: string): ProcessIdentity | undefined {
  try {
    return processIdentity.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}
