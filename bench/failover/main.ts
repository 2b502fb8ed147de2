/**
 * `npm run bench:failover`: how long a takeover leaves the chain without our signature, on the real chain, and whether a
 * healthy fleet under load is left alone. See docs/testing.md. The last line is one JSON object; exit 0 only if every bar was reached.
 */

import { appendFileSync, mkdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { chainBinary } from '../../e2e/chain/chain-binary.js';
import { ownBundles } from '../../local-fleet/bundles.ts';
import { runDrill } from '../../local-fleet/drill/run-drill.ts';
import { endedBySignal } from '../../local-fleet/processes/ended-by-signal.ts';
import { runSteady } from './steady.ts';
import { reportSuite, type Suite, type SuiteName, type SuiteReport, suites } from './suites.ts';

const usage = `usage: npm run bench:failover -- [--suite kills|freezes|slow|switches|steady]… [--times N] [--minutes N]
    [--block-seconds S] [--chain BINARY|stand-in] [--out DIR] [--json]

Without --suite: all but steady, which takes 30 minutes (--minutes). --times is how often instead of the suite's own number.
--out keeps every signer's journal, the commits and all logs.`;

interface Options {
  names: (SuiteName | 'steady')[];
  times: number | undefined;
  minutes: number;
  blockSeconds: number | undefined;
  chain: string;
  out: string | undefined;
  json: boolean;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      suite: { type: 'string', multiple: true },
      times: { type: 'string' },
      minutes: { type: 'string', default: '30' },
      'block-seconds': { type: 'string' },
      chain: { type: 'string' },
      out: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const amount = (name: string, text: string | undefined, min: number, max: number) => {
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max)) {
      throw new RangeError(`--${name} is ${JSON.stringify(text)}: give a number from ${min} to ${max}`);
    }
    return value;
  };
  const known = [...Object.keys(suites), 'steady'];
  const names = values.suite ?? Object.keys(suites);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new RangeError(`no such suite: ${unknown.join(', ')}; there are ${known.join(', ')}`);
  const times = amount('times', values.times, 1, 1000);
  return {
    names: names as Options['names'],
    times: times === undefined ? undefined : Math.round(times),
    minutes: amount('minutes', values.minutes, 0.1, 24 * 60) ?? 30,
    blockSeconds: amount('block-seconds', values['block-seconds'], 0.5, 60),
    chain: chainBinary(values.chain),
    out: values.out === undefined ? undefined : resolve(values.out),
    json: values.json,
  };
}

const say = (line: string) => process.stderr.write(`${line}\n`);

async function runSuite(name: SuiteName, options: Options, signal: AbortSignal): Promise<SuiteReport> {
  const suite: Suite = { ...suites[name] };
  suite.times = options.times ?? suite.times;
  suite.blockSeconds = options.blockSeconds ?? suite.blockSeconds;
  const before = loadavg()[0] ?? 0;
  say(
    `${name}: ${suite.fault} × ${suite.times}, blocks of ${suite.blockSeconds} s; load average ${before.toFixed(2)}`,
  );
  const { rounds, failure } = await runDrill({
    fault: suite.fault,
    times: suite.times,
    blockSeconds: suite.blockSeconds,
    chain: options.chain,
    out: options.out === undefined ? undefined : join(options.out, name),
    bundles: ownBundles(),
    say,
    signal,
    onFleet: (fleet) => {
      killNow = () => fleet.killNow();
    },
  });
  const report = reportSuite(name, suite, rounds, [before, loadavg()[0] ?? 0]);
  if (failure !== undefined) report.against.push(`it came to no proper end: ${String(failure)}`);
  if (rounds.length < suite.times) report.against.push(`${rounds.length} of ${suite.times} rounds were run`);
  return report;
}

let killNow = () => {};

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions();
  } catch (error) {
    say(`${(error as Error).message}\n${usage}`);
    return 2;
  }
  const ended = endedBySignal(() => killNow());
  const { out } = options;
  if (out !== undefined) mkdirSync(out, { recursive: true });
  const reports: ({ against: string[] } & object)[] = [];
  for (const name of options.names) {
    if (ended.aborted) break;
    const report =
      name === 'steady'
        ? await runSteady({
            minutes: options.minutes,
            blockSeconds: options.blockSeconds ?? suites.kills.blockSeconds,
            chain: options.chain,
            bundles: ownBundles(),
            out: out === undefined ? undefined : join(out, name),
            say,
            signal: ended,
            onFleet: (fleet) => {
              killNow = () => fleet.killNow();
            },
          })
        : await runSuite(name, options, ended);
    reports.push(report);
    say(`${name}: ${report.against.length === 0 ? 'ok' : report.against.join('; ')}`);
    if (out !== undefined) appendFileSync(join(out, 'reports.jsonl'), `${JSON.stringify(report)}\n`);
  }
  const ok = reports.length === options.names.length && reports.every(({ against }) => against.length === 0);
  process.stdout.write(`${JSON.stringify({ ok, suites: reports }, null, options.json ? undefined : 2)}\n`);
  if (ended.aborted) return 130;
  return ok ? 0 : 1;
}

process.exit(await main());
