/** Keeps what a soak or its control run saw, for others to judge. */

import { cp, mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { dataPaths } from '../data/layout.ts';
import { readJournal } from '../drill/journals.ts';
import type { LocalFleet } from '../fleet.ts';

/** Writes to `out`: report.json, journals/ (one file a signer state that ever was), logs/. */
export async function keepSoak(
  out: string,
  fleet: LocalFleet,
  journalFolders: readonly string[],
  report: object,
): Promise<void> {
  await keepJournals(out, fleet.data, journalFolders, report);
  await cp(dataPaths(fleet.data).logs, join(out, 'logs'), { recursive: true }).catch(absent);
  for (const { root, name } of fleet.startedServers()) {
    await cp(join(root, 'logs'), join(out, 'logs', name), { recursive: true }).catch(absent);
  }
  for (const folder of journalFolders.filter((path) => path.includes('/clones/'))) {
    const root = dirname(dirname(folder));
    await cp(join(root, 'logs'), join(out, 'logs', `clone-${basename(dirname(root))}`), {
      recursive: true,
    }).catch(absent);
  }
}

export async function keepJournals(
  out: string,
  data: string,
  journalFolders: readonly string[],
  report: object,
): Promise<void> {
  await mkdir(join(out, 'journals'), { recursive: true });
  await writeFile(join(out, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  for (const folder of journalFolders) {
    const lines = (await readJournal(folder)).map((entry) => `${JSON.stringify(entry)}\n`);
    const name = relative(data, folder).replace(/[^A-Za-z0-9.]+/g, '-');
    await writeFile(join(out, 'journals', `${name}.jsonl`), lines.join(''));
  }
}

/** A run that failed early has not made everything. */
function absent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
