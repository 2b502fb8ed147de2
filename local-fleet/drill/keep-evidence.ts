/** Keeps what a drill saw, for others to judge; and removes everything else that it made. */

import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dataPaths, socketFolder } from '../data/layout.ts';
import type { LocalFleet } from '../fleet.ts';
import type { DrillFleet } from './drill-fleet.ts';
import { readJournal } from './journals.ts';
import { type DrillReport, judgeRound, type Round } from './judge.ts';

/**
 * Writes to `out`: report.json, rounds.json (what was measured, and what was wrong), commits.json (each height's
 * arrival and whether our validator signed it), journals/<node>.jsonl, logs/.
 */
export async function keepEvidence(
  out: string,
  fleet: LocalFleet,
  drill: DrillFleet | undefined,
  rounds: readonly Round[],
  report: DrillReport | object,
): Promise<void> {
  const write = (name: string, value: unknown) =>
    writeFile(join(out, name), `${JSON.stringify(value, null, 2)}\n`);
  await mkdir(join(out, 'journals'), { recursive: true });
  await write('report.json', report);
  await write(
    'rounds.json',
    rounds.map((round) => ({ ...round, broken: judgeRound(round) })),
  );
  if (drill) await write('commits.json', drill.observedCommits());
  await cp(dataPaths(fleet.data).logs, join(out, 'logs'), { recursive: true }).catch(absent);
  for (const server of fleet.startedServers()) {
    await cp(join(server.root, 'logs'), join(out, 'logs', server.name), { recursive: true }).catch(absent);
    if (server.isValidator) {
      const lines = (await readJournal(server.signerState)).map((entry) => `${JSON.stringify(entry)}\n`);
      await writeFile(join(out, 'journals', `${server.name}.jsonl`), lines.join(''));
    }
  }
}

/** A drill that failed early has not made everything. */
function absent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

export async function removeFleetFolders(fleet: LocalFleet, data: string): Promise<void> {
  const sockets = fleet.startedServers().map(({ root }) => socketFolder(root));
  for (const folder of [...sockets, data]) await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
