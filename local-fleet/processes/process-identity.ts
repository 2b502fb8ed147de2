/**
 * Which process a pid means: pids are used again, so a pid that was written down counts only with the time at which
 * its process started.
 */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';

export const processIdentity = z.object({
  pid: z.number().int().positive(),
  /** As the system tells it: clock ticks since boot on Linux, a date elsewhere. Only ever compared. */
  startTime: z.string(),
});
export type ProcessIdentity = z.infer<typeof processIdentity>;

const pollMs = 25;

/** @returns undefined where no such process runs; one that ended and was not yet reaped does not run. */
export function startTimeOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    } catch {
      return undefined;
    }
  }
  try {
    const text = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return text === '' || text.startsWith('Z') ? undefined : text.replace(/^\S+\s+/, '');
  } catch {
    return undefined;
  }
}

/** Field 22 of proc_pid_stat(5); the command's name, field 2, may hold spaces and brackets. */
export function parseProcStat(text: string): string | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  return state === 'Z' || state === 'X' ? undefined : fields[19];
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

export function isRunning({ pid, startTime }: ProcessIdentity): boolean {
  return startTimeOf(pid) === startTime;
}

/** @returns false where that very process runs no more. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Processes that have `argument`, whole, on their command line. */
export function processesWithArgument(argument: string): ProcessIdentity[] {
  return processList().flatMap(({ pid, words }) => {
    const identity = pid !== process.pid && words.includes(argument) ? identityOf(pid) : undefined;
    return identity ? [identity] : [];
  });
}

function processList(): { pid: number; words: string[] }[] {
  if (process.platform === 'linux') {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.flatMap((pid) => {
      try {
        return [{ pid: Number(pid), words: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') }];
      } catch {
        // Ended meanwhile.
        return [];
      }
    });
  }
  const text = execFileSync('ps', ['-axo', 'pid=,args='], { encoding: 'utf8' });
  return text.split('\n').map((line) => {
    const [pid, ...words] = line.trim().split(/\s+/);
    return { pid: Number(pid), words };
  });
}

/** @returns whether the process was gone within `timeoutMs`. */
export async function waitForEnd(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const until = performance.now() + timeoutMs;
  while (isRunning(identity)) {
    if (performance.now() >= until) return false;
    await delay(pollMs);
  }
  return true;
}

/** Asks the process to end, waits `graceMs`, then ends it. A stopped (SIGSTOP) one is woken to hear it. */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  if (!signalProcess(identity, 'SIGTERM')) return;
  signalProcess(identity, 'SIGCONT');
  if (await waitForEnd(identity, graceMs)) return;
  signalProcess(identity, 'SIGKILL');
  await waitForEnd(identity, graceMs);
}
