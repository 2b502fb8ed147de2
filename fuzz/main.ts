/**
 * `npm run fuzz`: bad input at every door of the local cloud. No input may end the process, take long, fill the memory, or be answered
 * by anything but an error that AWS's clients know. A fault is shown with its input and the seed that finds it again (not made smaller: a slow input would be run again and again).
 */

import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { doorTargets } from './doors.ts';
import { engineTargets } from './engines.ts';
import type { Target } from './target.ts';

const usage = `usage: npm run fuzz -- [--inputs 100000] [--seed N] [--target NAME]… [--json]`;
const megabytesMax = 1500;
const inputCharactersMax = 1000;

interface Result {
  target: string;
  inputs: number;
  seconds: number;
  megabytes: number;
  fault?: string;
}

async function fuzz(target: Target, inputs: number, seed: number): Promise<Result> {
  const since = performance.now();
  const running = await target.start();
  try {
    const numRuns = Math.ceil(inputs / running.inputsPerRun);
    const details = await fc.check(running.property as fc.IAsyncProperty<[unknown]>, {
      numRuns,
      seed,
      endOnFailure: true,
    });
    const megabytes = Math.round(process.memoryUsage.rss() / 1024 / 1024);
    const fault = details.failed
      ? `${String(details.errorInstance)}\nwith --seed ${seed}, run ${details.counterexamplePath}: ${fc.stringify(details.counterexample).slice(0, inputCharactersMax)}`
      : megabytes > megabytesMax
        ? `the process has ${megabytes} MB`
        : undefined;
    return {
      target: target.name,
      inputs: details.numRuns * running.inputsPerRun,
      seconds: Math.round((performance.now() - since) / 100) / 10,
      megabytes,
      ...(fault === undefined ? {} : { fault: fault.slice(0, 4000) }),
    };
  } finally {
    await running.stop();
  }
}

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    target: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean', default: false },
  },
});
const [inputs, seed] = [Number(values.inputs), Number(values.seed)];
const all = [...engineTargets, ...doorTargets()];
const chosen = values.target.length === 0 ? all : all.filter(({ name }) => values.target.includes(name));
if (!Number.isInteger(inputs) || inputs < 1 || !Number.isInteger(seed) || chosen.length === 0) {
  process.stderr.write(`${usage}\ntargets: ${all.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}
// A rejection that nobody awaits would end the cloud's process: it is a fault like any other.
const stray: string[] = [];
process.on('unhandledRejection', (error) =>
  stray.push(error instanceof Error ? String(error.stack) : String(error)),
);
process.on('uncaughtException', (error) => stray.push(String(error.stack)));
const results: Result[] = [];
for (const target of chosen) {
  const result = await fuzz(target, inputs, seed);
  const strays = stray.splice(0);
  if (strays[0] !== undefined) result.fault = `${result.fault ?? ''}\nnobody awaited: ${strays[0]}`;
  results.push(result);
  process.stderr.write(
    `${result.target}: ${result.inputs} inputs in ${result.seconds} s, ${result.megabytes} MB${result.fault ? `\n${result.fault}` : ''}\n`,
  );
}
const ok = results.every(({ fault }) => fault === undefined);
process.stdout.write(`${JSON.stringify({ ok, seed, results }, undefined, values.json ? undefined : 2)}\n`);
process.exit(ok ? 0 : 1);
