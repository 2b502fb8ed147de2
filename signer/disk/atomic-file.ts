/** A file that after a crash holds either what it held, or what was written: never a part. */

import { dirname } from 'node:path';
import { type Disk, systemDisk } from './disk.ts';

/** @throws where it is not certain that the text is durable */
export async function writeDurably(path: string, text: string, disk: Disk = systemDisk): Promise<void> {
  const temporary = `${path}.tmp`;
  await writeSynced(temporary, text, disk);
  await putInPlace(temporary, path, disk);
}

/** The first half: the text is durable under a name that nobody reads. */
export async function writeSynced(temporary: string, text: string, disk: Disk): Promise<void> {
  const handle = await disk.open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    await disk.unlink(temporary).catch(() => {});
    throw error;
  } finally {
    await handle.close();
  }
}

/** The second half. A rename is durable once its folder is. */
export async function putInPlace(temporary: string, path: string, disk: Disk): Promise<void> {
  await disk.rename(temporary, path);
  await syncFolder(dirname(path), disk);
}

export async function syncFolder(path: string, disk: Disk = systemDisk): Promise<void> {
  const folder = await disk.open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
