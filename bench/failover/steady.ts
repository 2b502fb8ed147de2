/** A healthy fleet while every core is kept busy: the right to sign must stay where it is. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { duplicateVoteEvidence, missedBlocks } from '../../local-fleet/chains/observe.ts';
import type { DrillFleet } from '../../local-fleet/drill/drill-fleet.ts';
import { findConflicts } from '../../local-fleet/drill/journals.ts';
import { keepEvidence, removeFleetFolders } from '../../local-fleet/drill/keep-evidence.ts';
import { drillFleet, openDrill } from '../../local-fleet/drill/run-drill.ts';
import type { LocalFleet } from '../../local-fleet/fleet.ts';

export interface SteadyOptions {
  minutes: number;
  blockSeconds: number;
  chain: string;
  bundles: string;
  out: string | undefined;
  say(line: string): void;
  signal: AbortSignal;
  onFleet(fleet: LocalFleet): void;
}

export interface SteadyReport {
  suite: 'steady';
  minutes: number;
  busyProcesses: number;
  blocks: number;
  missedBlocks: number;
  /** The record's epoch at the beginning and at the end: the same where nobody took over. */
  epochs: [number, number];
  /** How often a standby asked for the role. */
  roleRequests: number;
  conflicts: number;
  loadAverage: { before: number; mean: number; max: number };
  against: string[];
}

const lookEveryMs = 10_000;

export async function runSteady(options: SteadyOptions): Promise<SteadyReport> {
  const { minutes, say, signal, out } = options;
  const before = loadavg()[0] ?? 0;
  const data = await mkdtemp(join(tmpdir(), 'beam-steady-'));
  let roleRequests = 0;
  const tell = (line: string) => {
    if (line.includes('asks for the role')) roleRequests += 1;
    say(line);
  };
  const fleet = drillFleet(data, { ...options, say: tell });
  options.onFleet(fleet);
  const busy: ChildProcess[] = [];
  let drill: DrillFleet | undefined;
  let report: SteadyReport | undefined;
  try {
    await fleet.start();
    drill = await openDrill(fleet, { say: tell, signal });
    const first = await drill.record();
    const from = drill.commits.latest;
    roleRequests = 0;
    for (let core = 0; core < cpus().length; core += 1) {
      busy.push(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
    }
    say(`${busy.length} busy processes for ${minutes} minutes`);
    const loads: number[] = [];
    const until = performance.now() + minutes * 60_000;
    while (performance.now() < until) {
      await delay(Math.min(lookEveryMs, Math.max(0, until - performance.now())), undefined, { signal });
      loads.push(loadavg()[0] ?? 0);
    }
    const last = await drill.record();
    const to = drill.commits.latest - 1;
    const missed = await missedBlocks(drill.rpc, drill.address, from, to);
    const journals = await drill.journals();
    const evidence = await duplicateVoteEvidence(drill.rpc, from, to);
    report = {
      suite: 'steady',
      minutes,
      busyProcesses: busy.length,
      blocks: to - from + 1,
      missedBlocks: missed.length,
      epochs: [first.epoch, last.epoch],
      roleRequests,
      conflicts: findConflicts(journals.map(({ entries }) => entries)).length + evidence.length,
      loadAverage: {
        before,
        mean: Math.round((loads.reduce((sum, load) => sum + load, 0) / loads.length) * 100) / 100,
        max: Math.max(...loads),
      },
      against: [],
    };
    if (last.epoch !== first.epoch)
      report.against.push(`the epoch rose from ${first.epoch} to ${last.epoch}`);
    if (report.conflicts > 0) report.against.push(`${report.conflicts} conflicting signatures`);
    return report;
  } finally {
    for (const process of busy) process.kill('SIGKILL');
    await drill?.close();
    await fleet.stop();
    if (out !== undefined)
      await keepEvidence(out, fleet, drill, [], report ?? { suite: 'steady', failed: true });
    await removeFleetFolders(fleet, data);
  }
}
