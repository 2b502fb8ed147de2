/**
 * `npm run bench:sign`: what a signature costs, from the node's request to its answer, with real signer and cloud
 * processes, and each stage beside its floor. See docs/testing.md. The last line is one JSON object.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { bundleCommands, ownBundles } from '../../local-fleet/bundles.ts';
import { drillFleet, openDrill } from '../../local-fleet/drill/run-drill.ts';
import { freePorts } from '../../local-fleet/processes/ports.ts';
import {
  firstThreadInRealTime,
  inRealTime,
  mayRunInRealTime,
} from '../../local-fleet/processes/real-time.ts';
import { type ReadyLine, waitForReadyLine } from '../../local-fleet/ready-line.ts';
import { grant, signRecordKey } from '../../protocol/sign-record.ts';
import { signerStatus } from '../../signer/ask.ts';
import { systemClock } from '../../signer/clock.ts';
import { dynamoTable } from '../../signer/dynamodb.ts';
import { enrol } from '../../signer/enrol.ts';
import { readHome } from '../../signer/home.ts';
import { RecordClient } from '../../signer/record-client.ts';
import { chainId } from '../../signer/rehearsal/requests.ts';
import { Floors } from './floors.ts';
import { type Quantiles, quantiles, type StageTimes, shareWithin, stagesBetween } from './quantiles.ts';
import { SignerRig } from './rig.ts';

const usage = `usage: npm run bench:sign -- [--with alone|fleet]… [--runs N] [--votes N] [--json]

alone: one signer and one local cloud. fleet: beside them a whole fleet runs, on the same cloud. Without --with: both.`;

/** Of the design: a sign request from its frame read to its answer written, while the fleet runs. Both are bounds of the signer's histogram. */
const bars = { p50Ms: 3, p99Ms: 12 };
/** Before the first one that counts: code is compiled, connections are made. */
const warmUpVotes = 200;
const blockSeconds = 1;
const readyMsMax = 60_000;
/** A node is not idle between two requests either; and the floors are measured there. */
const pauseMs = 5;

type Setting = 'alone' | 'fleet';

interface Run {
  with: Setting;
  votes: number;
  /** Refused for want of time, and asked again: the machine was too busy to measure anything. */
  late: number;
  /** Whether signer and cloud ran in real time. */
  realTime: boolean;
  load: { before: number; after: number };
  /** By the signer, request read to answer written: how many were within each bar. */
  within: { p50: number; p99: number };
  /** Seen by the node: request written to answer read, two changes of process more. */
  overheadMs: Quantiles;
  /** By the signer's own histogram. */
  stages: Record<string, StageTimes>;
  floorsMs: Record<string, Quantiles>;
  signerMegabytes: number;
}

const say = (line: string) => process.stderr.write(`${line}\n`);
const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ending.abort());

function readOptions(): { settings: Setting[]; runs: number; votes: number } {
  const { values } = parseArgs({
    options: {
      with: { type: 'string', multiple: true, default: ['alone', 'fleet'] },
      runs: { type: 'string', default: '3' },
      votes: { type: 'string', default: '1000' },
      json: { type: 'boolean', default: false },
    },
  });
  const whole = (name: string, text: string, max: number) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1 || value > max)
      throw new RangeError(`--${name} is ${text}: give a whole number from 1 to ${max}`);
    return value;
  };
  const unknown = values.with.filter((name) => name !== 'alone' && name !== 'fleet');
  if (unknown.length > 0) throw new RangeError(`--with ${unknown.join(', ')}: give alone or fleet`);
  return {
    settings: values.with as Setting[],
    runs: whole('runs', values.runs, 100),
    votes: whole('votes', values.votes, 100_000),
  };
}

/** A process of ours, ended with the bench. */
class Child {
  readonly process: ChildProcess;
  readonly log: string;
  constructor(command: readonly string[], log: string, stdout: string) {
    const [file = '', ...args] = command;
    this.log = log;
    this.process = spawn(file, args, { stdio: ['ignore', openSync(stdout, 'w'), openSync(log, 'a')] });
  }
  ended = (): string | undefined =>
    this.process.exitCode === null && this.process.signalCode === null
      ? undefined
      : `a process ended, says ${this.log}: ${readFileSync(this.log, 'utf8').slice(-500)}`;
  async end(): Promise<void> {
    if (this.ended() !== undefined) return;
    const exit = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await exit;
  }
}

/** Runs `measure` beside a cloud, and takes all down. */
async function withCloud<T>(
  setting: Setting,
  root: string,
  measure: (cloud: ReadyLine) => Promise<T>,
): Promise<T> {
  const { signal } = ending;
  if (setting === 'alone') {
    const stdout = join(root, 'cloud.out');
    const ports = ['--mqtt-port', '0', '--https-port', '0'];
    const command = firstThreadInRealTime([
      ...bundleCommands(ownBundles()).cloud,
      '--data',
      join(root, 'cloud'),
      ...ports,
      '--json',
    ]);
    const cloud = new Child(command, join(root, 'cloud.log'), stdout);
    try {
      return await measure(await waitForReadyLine(stdout, cloud.ended, signal));
    } finally {
      await cloud.end();
    }
  }
  const options = { bundles: ownBundles(), chain: 'stand-in', blockSeconds, say: () => {}, signal };
  const fleet = drillFleet(join(root, 'fleet'), options);
  try {
    await fleet.start();
    const drill = await openDrill(fleet, options);
    try {
      return await measure(fleet.ready);
    } finally {
      await drill.close();
    }
  } finally {
    await fleet.stop();
  }
}

async function measure(setting: Setting, root: string, cloud: ReadyLine, votes: number): Promise<Run> {
  const rig = new SignerRig(join(root, 's'), cloud);
  const [port = 0] = await freePorts(1);
  await rig.prepare(port);
  await enrol({ home: rig.home, guard: 'record', chainNotStarted: true });
  const home = readHome(rig.home);
  const signer = new Child(
    inRealTime([...bundleCommands(ownBundles()).signer, '--home', rig.home]),
    join(root, 'signer.log'),
    join(root, 'signer.out'),
  );
  const floors = new Floors(home, rig.privateKey);
  try {
    await rig.waitForSigner(signer.ended);
    await floors.start();
    await activate(home, rig, signer);
    let height = 1;
    for (let vote = 0; vote < warmUpVotes; vote++)
      await rig.sign(height + (vote >> 1), vote % 2 === 0 ? 2 : 3);
    height += warmUpVotes / 2;
    const [before] = loadavg();
    const scraped = await rig.scrape();
    const times: number[] = [];
    for (let vote = 0; vote < votes; vote++) {
      ending.signal.throwIfAborted();
      times.push(await rig.sign(height + (vote >> 1), vote % 2 === 0 ? 2 : 3));
      await delay(pauseMs);
      await floors.measure();
    }
    const scrapedAfter = await rig.scrape();
    const [after] = loadavg();
    const resident = /^process_resident_memory_bytes (\S+)$/m.exec(scrapedAfter)?.[1];
    return {
      with: setting,
      votes,
      late: rig.late,
      realTime: mayRunInRealTime(),
      load: { before: before ?? 0, after: after ?? 0 },
      within: {
        p50: shareWithin(scraped, scrapedAfter, 'request', bars.p50Ms),
        p99: shareWithin(scraped, scrapedAfter, 'request', bars.p99Ms),
      },
      overheadMs: quantiles(times),
      stages: stagesBetween(scraped, scrapedAfter),
      floorsMs: Object.fromEntries(
        Object.entries(floors.times).map(([name, each]) => [name, quantiles(each)]),
      ),
      signerMegabytes: Math.round(Number(resident) / 1e6),
    };
  } finally {
    await floors.close();
    await signer.end();
    rig.close();
  }
}

/** Grants the bench's signer its right, as Commander would. */
async function activate(home: ReturnType<typeof readHome>, rig: SignerRig, signer: Child): Promise<void> {
  if (!home.dynamo) throw new Error('the bench needs a cloud');
  const table = dynamoTable(home.dynamo);
  const store = new RecordClient(table, home.table, systemClock.sleep);
  const key = signRecordKey(chainId, rig.address);
  const read = await store.read(key, readyMsMax);
  const recordId = read.kind === 'found' ? String(read.item.recordId) : '';
  const granted = await store.update(grant(key, { recordId, grantEpoch: 0 }, home.thing), readyMsMax);
  if (granted.kind !== 'done') throw new Error(`the grant was not written: ${granted.kind}`);
  table.close();
  for (const untilMs = performance.now() + readyMsMax; performance.now() < untilMs; await delay(50)) {
    const reason = signer.ended();
    if (reason !== undefined) throw new Error(reason);
    if ((await signerStatus(rig.home))?.state === 'active') return;
  }
  throw new Error(`the signer did not become active; see ${signer.log}`);
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

function tell({
  with: setting,
  votes,
  load,
  within,
  overheadMs,
  stages,
  floorsMs,
  signerMegabytes,
}: Run): void {
  const { p50, p90, p99, max } = overheadMs;
  say(
    `${setting}: ${votes} votes, p50 ${p50} p90 ${p90} p99 ${p99} max ${max} ms; load ${load.before.toFixed(1)} → ${load.after.toFixed(1)}; signer ${signerMegabytes} MB`,
  );
  say(
    `  of the signer's own times ${percent(within.p50)} are within ${bars.p50Ms} ms, ${percent(within.p99)} within ${bars.p99Ms} ms`,
  );
  for (const [stage, { p50Ms, p90Ms, p99Ms, meanMs }] of Object.entries(stages))
    say(`  ${stage.padEnd(18)} p50 ${p50Ms} p90 ${p90Ms} p99 ${p99Ms} mean ${meanMs} ms`);
  for (const [floor, of] of Object.entries(floorsMs))
    say(`  floor ${floor.padEnd(16)} p50 ${of.p50} p90 ${of.p90} p99 ${of.p99} max ${of.max} ms`);
}

async function main(): Promise<void> {
  const { settings, runs, votes } = readOptions();
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const done: Run[] = [];
  for (const setting of settings) {
    for (let run = 0; run < runs; run++) {
      const root = mkdtempSync(join(tmpdir(), 'beam-bench-'));
      try {
        const result = await withCloud(setting, root, (cloud) => measure(setting, root, cloud, votes));
        tell(result);
        done.push(result);
      } finally {
        rmSync(root, { recursive: true, force: true });
      }
    }
  }
  const met = done.map(({ within }) => within.p50 >= 0.5 && within.p99 >= 0.99);
  process.stdout.write(`${JSON.stringify({ bars, met, runs: done })}\n`);
}

try {
  await main();
  process.exit(0);
} catch (error) {
  say(error instanceof RangeError ? `${error.message}\n\n${usage}` : String((error as Error).stack));
  process.exit(error instanceof RangeError ? 2 : 1);
}
