/**
 * `beam reset`: the pilot forgets what it keeps across restarts. It never touches the consensus key, the signer's state, the
 * sign record, certificates, configuration or the chain's home.
 */

import { access, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { homePaths } from '../../protocol/config.ts';
import { readProcess } from '../gaiad/process-identity.ts';

/** The pilot's own, file by file: the same folders hold the signer's sockets. */
const pilotsFiles = [
  homePaths.statusFile,
  homePaths.gaiadPid,
  join(homePaths.state, 'outbox.jsonl'),
  join(homePaths.state, 'gaiad.json'),
  join(homePaths.state, 'last-good'),
  join(homePaths.state, 'signing.json'),
];

/** Raised while the pilot runs: it would write its files again. */
export class PilotRunsError extends Error {
  override readonly name = 'PilotRunsError';
}

const statusFile = z.object({ pid: z.number().int().positive() });

/**
 * @returns what was removed, absolute. A gaiad that runs goes on; the next pilot finds it by its command line.
 * @throws PilotRunsError
 */
export async function resetHome(home: string, options: { dryRun?: boolean } = {}): Promise<string[]> {
  const root = resolve(home);
  const pid = await pilotPid(root);
  if (pid !== undefined) {
    throw new PilotRunsError(
      `the pilot of ${root} runs with pid ${pid}: end it first, gaiad and signer go on`,
    );
  }
  const removed: string[] = [];
  for (const path of pilotsFiles.map((file) => join(root, file))) {
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (!there) continue;
    if (!options.dryRun) await rm(path, { recursive: true });
    removed.push(path);
  }
  return removed;
}

/** @returns the pid of the pilot that runs on this home. */
async function pilotPid(root: string): Promise<number | undefined> {
  const written = await readFile(join(root, homePaths.statusFile), 'utf8')
    .then((text) => statusFile.parse(JSON.parse(text)))
    .catch(() => undefined);
  if (!written || !(await readProcess(written.pid))) return undefined;
  // The number may be another process's by now.
  const command = await readFile(`/proc/${written.pid}/cmdline`, 'utf8').catch(() => '');
  return /pilot|device-agent/.test(command) ? written.pid : undefined;
}
