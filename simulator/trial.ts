/** One episode by its number in a run: what a worker does, and a mutant's bundle exports. */

import { type Outcome, runEpisode } from './episode.ts';
import { drawSchedule, type Schedule } from './schedule.ts';

/** Episode `index` of a run of `seed` has a seed of its own (a hash by Wang's mixing, so that neighbours are strangers). */
export function episodeSeed(seed: number, index: number): number {
  let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

export async function runTrial(seed: number, index: number): Promise<Outcome> {
  return await replay(drawSchedule(episodeSeed(seed, index)));
}

export async function replay(schedule: Schedule, trace?: (line: string) => void): Promise<Outcome> {
  return await runEpisode(schedule, trace);
}

/** Whether an episode went as none may go. */
export function isBad({ violations, stuck }: Outcome): boolean {
  return violations.length > 0 || stuck !== undefined;
}
