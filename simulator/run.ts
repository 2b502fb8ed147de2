/** Runs episodes on several threads until enough sign requests were answered, and adds up what they did: the same for a seed, however many threads. */

import { Worker } from 'node:worker_threads';
import type { Outcome } from './episode.ts';
import { isBad } from './trial.ts';

export interface Total {
  seed: number;
  /** Sign requests that signers answered, and the signatures among the answers. */
  signs: number;
  released: number;
  faults: number;
  conflicts: number;
  missedBlocks: number;
  blocksToRecoverMax: number;
  episodes: number;
  /** The first episode that went wrong. */
  bad: { index: number; outcome: Outcome } | undefined;
}

export interface RunOptions {
  seed: number;
  signsMin: number;
  workers: number;
  /** The bundle with `simulator/worker.ts` in it. */
  worker: URL;
  workerData?: unknown;
  /** A fleet that does not recover does not end the run: a mutant is looked for until it does harm. */
  goesOn?: boolean;
}

/** @throws where an episode itself fails, which is a fault of the simulator */
export function run({
  seed,
  signsMin,
  workers,
  worker,
  workerData,
  goesOn = false,
}: RunOptions): Promise<Total> {
  const total: Total = {
    seed,
    signs: 0,
    released: 0,
    faults: 0,
    conflicts: 0,
    missedBlocks: 0,
    blocksToRecoverMax: 0,
    episodes: 0,
    bad: undefined,
  };
  const ended = new Map<number, Outcome>();
  let next = 0;
  /** Episodes count in their order, so that what a run tells does not hang on which thread was quicker. */
  const add = (): boolean => {
    for (let outcome = ended.get(total.episodes); outcome; outcome = ended.get(total.episodes)) {
      ended.delete(total.episodes);
      total.signs += outcome.signs;
      total.released += outcome.released;
      total.faults += outcome.faults;
      total.conflicts += outcome.violations.length;
      total.missedBlocks += outcome.missedBlocks;
      total.blocksToRecoverMax = Math.max(total.blocksToRecoverMax, outcome.blocksToRecover ?? 0);
      const bad = goesOn ? outcome.violations.length > 0 : isBad(outcome);
      if (bad) total.bad = { index: total.episodes, outcome };
      total.episodes += 1;
      if (total.bad || total.signs >= signsMin) return true;
    }
    return false;
  };
  return new Promise((resolve, reject) => {
    const threads: Worker[] = [];
    let settled = false;
    const end = (act: () => void) => {
      if (settled) return;
      settled = true;
      for (const thread of threads) void thread.terminate();
      act();
    };
    for (let count = 0; count < workers; count++) {
      const thread = new Worker(worker, { workerData, resourceLimits: { maxYoungGenerationSizeMb: 64 } });
      threads.push(thread);
      thread.on('error', (error) => end(() => reject(error)));
      thread.on('message', ({ index, outcome }: { index: number; outcome: Outcome }) => {
        ended.set(index, outcome);
        if (add()) end(() => resolve(total));
        else thread.postMessage({ seed, index: next++ });
      });
      thread.postMessage({ seed, index: next++ });
    }
  });
}
