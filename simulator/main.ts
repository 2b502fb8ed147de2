/** `npm run simulate`: whole fleets under faults, until so many sign requests were answered. */

import { mkdtempSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Outcome } from './episode.ts';
import { run } from './run.ts';
import { drawSchedule, type Schedule } from './schedule.ts';
import { shrink } from './shrink.ts';
import { episodeSeed, isBad, replay } from './trial.ts';

const usage = `npm run simulate -- [--seed S] [--signs N] [--workers W] [--json]
npm run simulate -- --seed S --episode I      one episode, its transcript on stdout

  --seed S      which fleets and faults (default: a fresh one, which is printed)
  --signs N     until the signers answered so many sign requests (default 20000)
  --workers W   threads (default: one a core); the result does not depend on it
  --json        the last line is a JSON object

Exit code: 0; 1 where an invariant was violated or a fleet did not recover; 2 for wrong arguments.
`;

const signsMax = 1_000_000_000;

function wholeNumber(name: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,10}$/.test(text) && value <= most) return value;
  process.stderr.write(`--${name} ${text}: give a whole number from 0 to ${most}\n`);
  process.exit(2);
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string' },
        signs: { type: 'string' },
        workers: { type: 'string' },
        episode: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    process.exit(2);
  }
}

const values = options();
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const seed = wholeNumber('seed', values.seed, 0xffff_ffff) ?? Math.floor(Math.random() * 2 ** 32);
const signsMin = wholeNumber('signs', values.signs, signsMax) ?? 20_000;
const workers = Math.max(1, wholeNumber('workers', values.workers, 64) ?? availableParallelism());
const episode = wholeNumber('episode', values.episode, 0xffff_ffff);

if (episode !== undefined) {
  const lines: string[] = [];
  const log = (text: string) => lines.push(`${' '.repeat(26)}${text}`);
  for (const level of ['info', 'warn', 'error'] as const) console[level] = log;
  const outcome = await replay(drawSchedule(episodeSeed(seed, episode)), (line) => lines.push(line));
  process.stdout.write(`${lines.join('\n')}\n${described(outcome)}\n`);
  process.exit(isBad(outcome) ? 1 : 0);
}

const beganMs = performance.now();
process.stdout.write(`seed ${seed}, ${signsMin} sign requests, ${workers} threads\n`);
const total = await run({
  seed,
  signsMin,
  workers,
  worker: new URL('./worker.js', import.meta.url),
  workerData: { trial: new URL('./trial.js', import.meta.url).href },
});
const seconds = Math.round((performance.now() - beganMs) / 100) / 10;
const { signs, faults, conflicts, missedBlocks, blocksToRecoverMax, episodes, bad } = total;
process.stdout.write(
  `${signs} sign requests to ${episodes} fleets under ${faults} faults, ${total.released} signatures: ` +
    `${conflicts} violations; ${Math.round(signs / Math.max(0.1, seconds))} requests a second\n`,
);
if (bad) {
  process.stdout.write(`seed ${seed}, episode ${bad.index}: ${described(bad.outcome)}\n`);
  await writeTranscript(drawSchedule(bad.outcome.seed), bad.outcome);
}
if (values.json) {
  const result = { seed, signs, faults, conflicts, missedBlocks, blocksToRecoverMax, seconds };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
process.exit(bad ? 1 : 0);

function described({ violations, stuck, signs, blocksToRecover }: Outcome): string {
  const [first] = violations;
  if (first) return `invariant ${first.invariant} is violated: ${first.text}`;
  if (stuck !== undefined) return `nobody signs though all faults stopped: ${stuck}`;
  return `${signs} sign requests, no violation, signed again after ${blocksToRecover} blocks`;
}

/** The smallest schedule found that still goes wrong, and all that happens in it. */
async function writeTranscript(schedule: Schedule, outcome: Outcome): Promise<void> {
  for (const level of ['info', 'warn', 'error'] as const) console[level] = () => {};
  const invariant = outcome.violations[0]?.invariant;
  const small = await shrink(schedule, async (tried) => {
    const again = await replay(tried);
    return invariant === undefined
      ? isBad(again)
      : again.violations.some((one) => one.invariant === invariant);
  });
  const lines: string[] = [];
  const again = await replay(small, (line) => lines.push(line));
  const path = join(mkdtempSync(join(tmpdir(), 'beam-simulate-')), 'transcript.txt');
  const text = [
    `Seed ${schedule.seed} of an episode: ${described(again)}`,
    `${small.faults.length} faults are left of ${schedule.faults.length}.`,
    '',
    JSON.stringify({ ...small, faults: undefined }, undefined, 2),
    ...small.faults.map((fault) => JSON.stringify(fault)),
    '',
    ...lines,
    '',
  ].join('\n');
  writeFileSync(path, text);
  process.stdout.write(`transcript: ${path}\n`);
}
