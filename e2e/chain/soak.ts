/**
 * `npm run soak`: random faults, one after another, on a fleet of validators on a real chain; see docs/testing.md. Progress goes to
 * stderr; the last line on stdout is one JSON object. Exit 0 only if nothing that must not happen did.
 */

import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ownBundles } from '../../local-fleet/bundles.ts';
import { endedBySignal } from '../../local-fleet/processes/ended-by-signal.ts';
import { runSoak } from '../../local-fleet/soak/run-soak.ts';
import { chainBinary } from './chain-binary.js';

const usage = `usage: npm run soak -- [--minutes N] [--seed S] [--validators 2..5] [--block-seconds S] [--chain BINARY] [--out DIR] [--json]

--minutes (5) is how long faults are begun; making the fleet and taking it down comes on top. The seed (a random one) decides
which faults come, when and to whom. Journals and logs are kept in --out, or where the soak failed in a folder that it names.`;

const say = (line: string) => process.stderr.write(`${line}\n`);

function readOptions() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string' },
      validators: { type: 'string', default: '3' },
      'block-seconds': { type: 'string', default: '1.3' },
      chain: { type: 'string' },
      out: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const amount = (name: string, text: string, min: number, max: number, whole = false) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
      throw new RangeError(
        `--${name} is ${JSON.stringify(text)}: give a ${whole ? 'whole ' : ''}number from ${min} to ${max}`,
      );
    }
    return value;
  };
  const seedMax = 2 ** 32 - 1;
  return {
    minutes: amount('minutes', values.minutes, 0.1, 7 * 24 * 60),
    seed: values.seed === undefined ? randomInt(seedMax) : amount('seed', values.seed, 0, seedMax, true),
    validators: amount('validators', values.validators, 2, 5, true),
    blockSeconds: amount('block-seconds', values['block-seconds'], 0.5, 60),
    chain: values.chain,
    out: values.out === undefined ? undefined : resolve(values.out),
    json: values.json,
  };
}

async function main(): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions();
  } catch (error) {
    say(`${(error as Error).message}\n${usage}`);
    return 2;
  }
  let killNow = () => {};
  const ended = endedBySignal(() => killNow());
  const chain = chainBinary(options.chain);
  const startedMs = performance.now();
  const stamped = (line: string) =>
    say(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} ${line}`);
  say(`soak of ${options.minutes} minutes, seed ${options.seed}, on ${chain}`);
  const report = await runSoak({
    ...options,
    chain,
    bundles: ownBundles(),
    say: stamped,
    signal: ended,
    onFleet: (fleet) => {
      killNow = () => fleet.killNow();
    },
  });
  process.stdout.write(`${JSON.stringify(report, null, options.json ? undefined : 2)}\n`);
  if (ended.aborted) return 130;
  return report.ok ? 0 : 1;
}

process.exit(await main());
