/**
 * Who signs, and the record that it waits for, run before all else on the machine where this user may have that (root, or
 * RLIMIT_RTPRIO): Linux's class SCHED_RR, by util-linux's chrt (docs/decisions/real-time.md). Elsewhere they run as all do.
 */

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** Of 1 to 99: below what the kernel itself runs so. */
const priority = '5';

/** With one core a busy cloud would leave its pilots the kernel's 5 % alone. */
const coresMin = 2;

let isAllowed: boolean | undefined;

/** @returns whether this user's processes may run in real time; asked of the system once. */
export function mayRunInRealTime(): boolean {
  isAllowed ??=
    process.platform === 'linux' &&
    availableParallelism() >= coresMin &&
    spawnSync('chrt', ['--rr', priority, 'true'], { stdio: 'ignore' }).status === 0;
  return isAllowed;
}

/** The command, to run with all of its threads and children in real time where that may be. */
export function inRealTime(command: readonly string[]): string[] {
  return [...setter(), ...command];
}

/** The same, for its first thread alone: what it starts runs as all do. */
export function firstThreadInRealTime(command: readonly string[]): string[] {
  return [...setter('--reset-on-fork'), ...command];
}

const setter = (...flags: string[]) => (mayRunInRealTime() ? ['chrt', '--rr', ...flags, priority] : []);
