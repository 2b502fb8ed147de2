/** A thread that runs the episodes it is told to. */

import { parentPort, workerData } from 'node:worker_threads';

type Trial = typeof import('./trial.ts');

// Commander's log is for a cloud; here it would be all that anybody sees.
for (const level of ['info', 'warn', 'error'] as const) console[level] = () => {};

// Refusals are errors, and a standby refuses all day; nobody reads where from.
Error.stackTraceLimit = 0;

// A mutant is another bundle of the same episodes.
const { trial } = workerData as { trial: string };
const { runTrial } = (await import(trial)) as Trial;
parentPort?.on('message', ({ seed, index }: { seed: number; index: number }) => {
  void runTrial(seed, index).then((outcome) => parentPort?.postMessage({ index, outcome }));
});
