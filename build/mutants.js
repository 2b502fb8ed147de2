/**
 * `npm run simulate:mutants -- [--seed S] [--signs N] [text…]`: takes away each guard of signing, one at a time (or those whose name
 * has a text), and lets the simulator look for what goes wrong: an invariant must be violated within N sign requests. One
 * line each, then `N passed, N failed`.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleSimulator, simulatorFolder } from './simulator.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: '1' }, signs: { type: 'string', default: '150000' } },
});
const folder = simulatorFolder();
await bundleSimulator(
  {
    main: 'simulator/mutants/main.ts',
    worker: 'simulator/worker.ts',
    mutants: 'simulator/mutants/mutants.ts',
  },
  folder,
);
const { mutants } = await import(pathToFileURL(join(folder, 'mutants.js')).href);
const chosen = mutants.filter(
  ({ name }) => positionals.length === 0 || positionals.some((text) => name.includes(text)),
);

/** One process a mutant, so that a mutant that hangs or breaks takes nothing with it. */
async function tried(mutant, index) {
  const out = join(folder, `mutant-${index}`);
  mkdirSync(out);
  await bundleSimulator({ trial: 'simulator/trial.ts' }, out, mutant.edits);
  const trial = pathToFileURL(join(out, 'trial.js')).href;
  const child = spawn(process.execPath, [join(folder, 'main.js'), values.seed, values.signs, trial], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  });
  const lines = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(line);
  return lines.length > 0 ? JSON.parse(lines.at(-1)) : { signs: 0, broken: true };
}

let next = 0;
let passed = 0;
let failed = 0;
async function worker() {
  for (let index = next++; index < chosen.length; index = next++) {
    const mutant = chosen[index];
    const { signs, episodes, violation, broken } = await tried(mutant, index);
    if (violation) {
      passed += 1;
      console.log(
        `ok   ${mutant.name}: invariant ${violation.invariant} after ${signs} sign requests (${episodes} fleets)`,
      );
    } else {
      failed += 1;
      const how = broken ? 'it did not run' : `${signs} sign requests, and nobody noticed`;
      console.log(`FAIL ${mutant.name}: ${how}`);
    }
  }
}
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
