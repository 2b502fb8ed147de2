/**
 * `npm run test:ministack`: Beam on emulators of AWS that are not ours; see docs/testing.md. One line a step, then what is skipped and
 * why; the last line is one JSON object. Exit 0 only if every step held.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ownBundles } from '../../local-fleet/bundles.ts';
import { endedBySignal } from '../../local-fleet/processes/ended-by-signal.ts';
import { localhostTls } from './localhost-tls.ts';
import { testMiniStack } from './ministack.ts';
import { testMoto } from './moto.ts';
import { type PeerName, PeersMissingError, peersBin, peerVersions } from './peers.ts';
import type { EngineReport, EngineRun } from './run.ts';
import { skipped } from './skipped.ts';

const usage = `usage: npm run test:ministack -- [--engine moto|ministack]… [--verbose] [--json]
  --engine   one alone (both)
  --verbose  what the fleet does, line by line`;

const tests: Record<PeerName, (run: EngineRun) => Promise<void>> = {
  moto: testMoto,
  ministack: testMiniStack,
};
const engineNames = Object.keys(tests) as PeerName[];
const secondsMax = 240;

const say = (line: string) => process.stderr.write(`${line}\n`);

function readOptions() {
  const { values } = parseArgs({
    options: {
      engine: { type: 'string', multiple: true },
      verbose: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const unknown = values.engine?.find((name) => !engineNames.some((one) => one === name));
  if (unknown !== undefined) throw new RangeError(`there is no engine ${unknown}`);
  return { ...values, engines: engineNames.filter((name) => values.engine?.includes(name) ?? true) };
}

async function testEngine(
  name: PeerName,
  given: Pick<EngineRun, 'bin' | 'bundles' | 'tls' | 'say' | 'signal'> & { folder: string },
): Promise<EngineReport> {
  const report: EngineReport = {
    version: peerVersions[name],
    passed: [],
    failed: null,
    skipped: skipped[name],
  };
  const folder = join(given.folder, name);
  mkdirSync(folder);
  say(`${name} ${report.version}`);
  let under = 'starts';
  const step: EngineRun['step'] = async (stepName, does) => {
    under = stepName;
    const startedMs = performance.now();
    given.signal.throwIfAborted();
    const told = await does();
    report.passed.push(stepName);
    say(`  ok    ${stepName}: ${told} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
  };
  try {
    await tests[name]({ ...given, folder, step });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    report.failed = { name: under, reason };
    say(`  FAIL  ${under}: ${reason}`);
  }
  for (const { name: what, reason } of report.skipped) say(`  skip  ${what}: ${reason}`);
  return report;
}

async function main(): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions();
  } catch (error) {
    say(`${(error as Error).message}\n${usage}`);
    return 2;
  }
  const ended = endedBySignal();
  const startedMs = performance.now();
  let bin: string;
  try {
    bin = peersBin(say);
  } catch (error) {
    if (!(error instanceof PeersMissingError)) throw error;
    say(`test:ministack: ${error.message}`);
    return 1;
  }
  const signal = AbortSignal.any([ended, AbortSignal.timeout(secondsMax * 1_000)]);
  const folder = mkdtempSync(join(tmpdir(), 'beam-engines-'));
  const given = {
    folder,
    bin,
    bundles: ownBundles(),
    tls: await localhostTls(folder),
    say: options.verbose ? say : () => {},
    signal,
  };
  const engines: Partial<Record<PeerName, EngineReport>> = {};
  for (const name of options.engines) engines[name] = await testEngine(name, given);
  const ok = Object.values(engines).every(({ failed }) => failed === null);
  if (ok) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  else say(`logs and journals are in ${folder}`);
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
  process.stdout.write(`${JSON.stringify({ ok, seconds, engines }, null, options.json ? undefined : 2)}\n`);
  if (ended.aborted) return 130;
  return ok ? 0 : 1;
}

process.exit(await main());
