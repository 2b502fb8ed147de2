import { mkdir } from 'node:fs/promises';
import { homePaths } from '../../protocol/config.ts';
import type { Home } from './load-home.ts';

/** The folders that the pilot writes to: its own alone. */
export async function makeFolders(home: Home): Promise<void> {
  for (const folder of [homePaths.run, homePaths.state, homePaths.logs]) {
    await mkdir(home.path(folder), { recursive: true, mode: 0o700 });
  }
}
