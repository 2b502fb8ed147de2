/** Bytes of the store that are not what was written, by file. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { storeFolderName } from '../store/folder.ts';
import { levelFaults } from '../store/level-files.ts';

export interface StoreFault {
  place: string;
  what: string;
  /** Opening the store would drop what is damaged. */
  isInLog: boolean;
}

export async function storeFaults(dataDir: string, isOpen: boolean, logsOnly = false): Promise<StoreFault[]> {
  const folder = join(dataDir, storeFolderName);
  if (!existsSync(folder)) return [];
  const faults = await levelFaults(folder, isOpen, logsOnly);
  return faults.map(({ file, what, isInLog }) => ({ place: `${storeFolderName}/${file}`, what, isInLog }));
}

export const findingsOf = (faults: readonly StoreFault[]) =>
  faults.map(({ place, what }) => ({ place, what }));
