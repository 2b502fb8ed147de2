/** A new file with a secret in it, of its owner alone. It never takes the place of another. */

import { link, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './atomic-file.ts';

/**
 * What a crash leaves behind is taken away by the next try; so is what another process is at, which both are told.
 * @throws EEXIST where there is a file already
 */
export async function createDurably(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  await rm(temporary, { force: true });
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
    await link(temporary, path);
    if ((await stat(path)).ino !== (await handle.stat()).ino)
      throw new Error(
        `${path} was written by another process at the same time: look which one of both is meant`,
      );
  } finally {
    await handle.close();
    await rm(temporary, { force: true });
  }
  await syncFolder(dirname(path));
}
