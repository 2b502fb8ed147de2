/** A new file with a secret in it, of its owner alone. It never takes the place of another. */

import { link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './atomic-file.ts';

/**
 * What a crash leaves behind is taken away by the next try.
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
  } finally {
    await handle.close();
    await rm(temporary, { force: true });
  }
  await syncFolder(dirname(path));
}
