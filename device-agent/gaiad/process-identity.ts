/** Which process is gaiad: pid, start time and command line as Linux tells them in /proc, see proc(5). */

import { readdir, readFile } from 'node:fs/promises';

export interface ProcessIdentity {
  pid: number;
  /** Clock ticks from the machine's boot to the process's start: with the pid, of one process only. */
  startTime: string;
}

interface ProcessStat extends ProcessIdentity {
  /** R, S, D, T (stopped), Z (zombie), … */
  state: string;
  parent: number;
}

/** @returns undefined where there is no such process. */
export async function readProcess(pid: number): Promise<ProcessStat | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses, and may hold any character.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, parent] = fields;
    const startTime = fields[19];
    if (state === undefined || parent === undefined || startTime === undefined) return undefined;
    return { pid, startTime, state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

/** A zombie has ended: only its parent has not asked yet. */
export function isAlive(process: ProcessStat | undefined): process is ProcessStat {
  return process !== undefined && process.state !== 'Z' && process.state !== 'X';
}

async function commandLine(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return text.split('\0').slice(0, -1);
}

/** The command line of a chain's node that runs on `home`. */
function runsOn(home: string, command: readonly string[]): boolean {
  const start = command.indexOf('start');
  const at = command.indexOf('--home', start);
  return start >= 0 && (command[at + 1] === home || command.includes(`--home=${home}`));
}

/** @returns the identity where the process of that identity is alive and runs a node on `home`. */
export async function confirmProcess(
  identity: ProcessIdentity,
  home: string,
): Promise<ProcessIdentity | undefined> {
  const found = await readProcess(identity.pid);
  if (!isAlive(found) || found.startTime !== identity.startTime) return undefined;
  return runsOn(home, await commandLine(identity.pid)) ? identity : undefined;
}

/**
 * Looks through all processes for one that runs a node on `home`: started by a pilot that was killed before it could
 * write it down, or by the operator. Under cosmovisor the parent is meant.
 */
export async function findProcess(home: string): Promise<ProcessIdentity | undefined> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: ProcessStat[] = [];
  for (const pid of pids) {
    if (!runsOn(home, await commandLine(pid))) continue;
    const stat = await readProcess(pid);
    if (isAlive(stat)) found.push(stat);
  }
  const root = found.find(({ parent }) => !found.some(({ pid }) => pid === parent));
  return root && { pid: root.pid, startTime: root.startTime };
}
