/**
 * `npm run test:chain`: a drill of every fault on a real chain, each with a fleet of its own. One line a fault, then
 * `N passed, N failed`; exit 0 only if all passed. `node e2e/chain/run.js gaiad host` runs these alone.
 *
 * Environment: BEAM_DRILL_TIMES: how often the faults `none` and `pilot` are repeated (3); BEAM_DRILL_CHAIN: a chain
 * binary to use instead of building one; BEAM_DRILL_OUT: a folder in which every drill's journals and logs stay
 * (else a temporary one, kept where a drill failed).
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chainBinary } from './chain-binary.js';
import { judgeDrill, lastJsonLine } from './judge-drill.js';

const folder = dirname(fileURLToPath(import.meta.url));
const beam = resolve(folder, '../../bin/beam.js');

/** Making and starting a chain and its fleet, and taking it down. */
const fleetMs = 150_000;
/** One round of a fault (the longest freezes for 30 s), at blocks of 6 s on a busy machine. */
const roundMs = 120_000;
/** What a drill that was told to end has to clear up. */
const clearUpMs = 30_000;
/** How much of a failed drill's own words is shown. */
const shownLinesMax = 30;

const timesText = process.env.BEAM_DRILL_TIMES ?? '3';
const times = Number(timesText);
if (!Number.isInteger(times) || times < 1 || times > 1000) {
  console.error(`BEAM_DRILL_TIMES is ${JSON.stringify(timesText)}: give a whole number from 1 to 1000.`);
  process.exit(2);
}

/** Blocks of 6 s where the bar is one missed block at such a length. */
const drills = [
  { fault: 'none', times, blockSeconds: 2 },
  { fault: 'pilot', times, blockSeconds: 2 },
  { fault: 'gaiad', times: 1, blockSeconds: 6 },
  { fault: 'signer', times: 1, blockSeconds: 2 },
  { fault: 'host', times: 1, blockSeconds: 6 },
  { fault: 'freeze', times: 1, blockSeconds: 2 },
];

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !drills.some(({ fault }) => fault === name));
if (unknown.length > 0) {
  console.error(
    `No such fault: ${unknown.join(', ')}. There are ${drills.map(({ fault }) => fault).join(', ')}.`,
  );
  process.exit(2);
}

/** @type {import('node:child_process').ChildProcess | undefined} */
let running;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    // The drill takes its fleet down; then we end, too.
    process.exitCode = 130;
    stopped = true;
    running?.kill('SIGTERM');
  });
}
let stopped = false;

/** Runs one drill to its end, or to the end of its time. */
function runDrill(args, timeoutMs) {
  return new Promise((done) => {
    const child = spawn(process.execPath, [beam, 'drill', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    running = child;
    let stdout = '';
    let stderr = '';
    let late = false;
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    const kill = { timer: undefined };
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGTERM');
      kill.timer = setTimeout(() => child.kill('SIGKILL'), clearUpMs);
    }, timeoutMs);
    const end = (failure) => {
      clearTimeout(timer);
      clearTimeout(kill.timer);
      running = undefined;
      done({ stdout, stderr, failure: late ? `not done within ${timeoutMs / 1000} s` : failure });
    };
    child.on('error', (error) => end(error.message));
    child.on('close', (code, signal) =>
      end(code === 0 ? undefined : `it ended with ${signal ?? `exit ${code}`}`),
    );
  });
}

const chain = chainBinary();
const out = process.env.BEAM_DRILL_OUT
  ? resolve(process.env.BEAM_DRILL_OUT)
  : mkdtempSync(join(tmpdir(), 'beam-drills-'));
mkdirSync(out, { recursive: true });
console.log(`Drills on ${chain}`);

let passed = 0;
let failed = 0;
for (const drill of drills) {
  const { fault } = drill;
  if (asked.length > 0 && !asked.includes(fault)) continue;
  if (stopped) break;
  const drillOut = join(out, fault);
  const startedMs = Date.now();
  const { stdout, stderr, failure } = await runDrill(
    ['--local', '--fault', fault, '--json', '--chain', chain, '--times', String(drill.times)].concat([
      '--block-seconds',
      String(drill.blockSeconds),
      '--out',
      drillOut,
    ]),
    fleetMs + drill.times * roundMs,
  );
  if (stopped) break;
  const result = lastJsonLine(stdout);
  const against = [...(failure ? [failure] : []), ...judgeDrill(fault, result)];
  const seconds = Math.round((Date.now() - startedMs) / 1000);
  const name = `${fault.padEnd(6)} ×${drill.times}`;
  if (against.length > 0) {
    failed += 1;
    const said = `${stderr}\n${stdout}`.trim().split('\n').slice(-shownLinesMax);
    console.log(`FAIL ${name}  ${against.join('; ')} (${seconds} s; see ${drillOut})`);
    console.log(said.map((line) => `     | ${line}`).join('\n'));
  } else {
    passed += 1;
    console.log(
      `ok   ${name}  ${result.missedBlocks} missed, ${result.secondsWithoutSignature} s without a signature, ` +
        `epoch ${result.epochBefore} → ${result.epochAfter}, ${result.conflicts} conflicts, ` +
        `blocks of ${result.blockSeconds} s (${seconds} s)`,
    );
    if (!process.env.BEAM_DRILL_OUT) rmSync(drillOut, { recursive: true, force: true });
  }
}
if (failed === 0 && !stopped && !process.env.BEAM_DRILL_OUT) rmSync(out, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0 || passed === 0) process.exitCode = process.exitCode || 1;
