/** Runs one mutant until it is caught, or so many sign requests were answered without anybody noticing. */

import { run } from '../run.ts';

const [seed, signsMax, ...trials] = process.argv.slice(2);
for (const trial of trials) {
  const total = await run({
    seed: Number(seed),
    signsMin: Number(signsMax),
    workers: 1,
    worker: new URL('./worker.js', import.meta.url),
    workerData: { trial },
    goesOn: true,
  });
  const { signs, episodes, bad } = total;
  const [violation] = bad?.outcome.violations ?? [];
  process.stdout.write(`${JSON.stringify({ signs, episodes, violation })}\n`);
}
process.exit(0);
