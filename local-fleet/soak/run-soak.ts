/** A soak from an empty folder to its report: faults one after another on one fleet, each mended, each followed by the checks. */

import { mkdtemp } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleCommands } from '../bundles.ts';
import { blockTimes } from '../chains/observe.ts';
import type { DrillFleet } from '../drill/drill-fleet.ts';
import { removeFleetFolders } from '../drill/keep-evidence.ts';
import { drillFleet, openDrill } from '../drill/run-drill.ts';
import type { LocalFleet } from '../fleet.ts';
import { usualNodes } from '../fleet-plan.ts';
import { FleetNetwork } from '../network/fleet-network.ts';
import { judgeSafety, SafetyCheck, type SafetyFindings } from './checks.ts';
import { doFault } from './faults.ts';
import { keepSoak } from './keep-soak.ts';
import { describeFault, type Step, soakSteps } from './schedule.ts';
import { noteRecord, type SoakFleet } from './soak-fleet.ts';

export interface SoakOptions {
  minutes: number;
  seed: number;
  validators: number;
  blockSeconds: number;
  /** A chain's binary. */
  chain: string;
  /** Absolute. Journals, logs and the report stay there; left out: only where the soak failed, in a temporary folder. */
  out?: string | undefined;
  bundles: string;
  say(line: string): void;
  signal: AbortSignal;
  /** The fleet, before it starts: for who must end it at once. */
  onFleet(fleet: LocalFleet): void;
}

export interface SoakFailure {
  at: string;
  /** Index in the schedule; -1: none was under way. */
  step: number;
  /** What was done. */
  faults: string[];
  what: string;
}

/** The soak's last line. */
export interface SoakReport {
  seed: number;
  minutes: number;
  /** How often each was done. */
  faults: Record<string, number>;
  faultsTotal: number;
  conflicts: number;
  evidence: number;
  tombstoned: boolean;
  jailed: boolean;
  blocks: number;
  missedBlocks: number;
  blockSeconds: number;
  /** Clones that signed something themselves. */
  clonesThatSigned: number;
  /** s from the end of a step's faults until the fleet was whole again. */
  settleSeconds: { median: number; max: number };
  loadAverage: [number, number];
  ok: boolean;
  failures: SoakFailure[];
  /** Where journals and logs are. */
  evidenceIn?: string;
}

/** From the last mend until the fleet is whole: one active, every other one hot, all near the head. */
const settleMsMax = 120_000;
/** So many failures tell enough. */
const failuresMax = 5;
const blocksForMedian = 50;

export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { seed, minutes, say } = options;
  const data = await mkdtemp(join(tmpdir(), 'beam-soak-'));
  const alerts: string[] = [];
  const network = new FleetNetwork();
  const fleet = drillFleet(data, { ...options, network, nodes: usualNodes(options.validators) });
  options.onFleet(fleet);
  const run: SoakRun = {
    faults: {},
    failures: [],
    settleSeconds: [],
    findings: undefined,
    blockSeconds: 0,
    clonesThatSigned: 0,
  };
  const loadBefore = loadavg()[0] ?? 0;
  const startedMs = performance.now();
  let drill: DrillFleet | undefined;
  let soak: SoakFleet | undefined;
  try {
    await fleet.start();
    drill = await openDrill(fleet, {
      say: (line) => {
        if (/: (critical|warning): /.test(line)) alerts.push(line);
        say(line);
      },
      signal: options.signal,
    });
    soak = openSoak(drill, network, data, alerts, options);
    await doSteps(soak, options, run);
  } catch (error) {
    if (!options.signal.aborted) say(error instanceof Error ? (error.stack ?? '') : '');
    fail(run, { index: -1, faults: [] }, `the soak came to no proper end: ${String(error)}`);
  }
  run.clonesThatSigned = soak?.clonesThatSigned ?? 0;
  if (soak && run.findings) run.blockSeconds = await medianBlock(soak, run.findings.height).catch(() => 0);
  await drill?.close();
  say('taking the fleet down');
  await fleet.stop();
  const report = reportOf(run, seed, (performance.now() - startedMs) / 60_000, loadBefore);
  const out = options.out ?? (report.ok ? undefined : await mkdtemp(join(tmpdir(), 'beam-soak-failed-')));
  if (out !== undefined) {
    report.evidenceIn = out;
    await keepSoak(out, fleet, soak?.checks.journalFolders() ?? [], report);
  }
  say(`${minutes} minutes of faults asked for, ${report.faultsTotal} faults done`);
  await removeFleetFolders(fleet, data);
  return report;
}

interface SoakRun {
  faults: Record<string, number>;
  failures: SoakFailure[];
  settleSeconds: number[];
  findings: SafetyFindings | undefined;
  blockSeconds: number;
  clonesThatSigned: number;
}

function openSoak(
  drill: DrillFleet,
  network: FleetNetwork,
  data: string,
  alerts: string[],
  { bundles, say, signal }: SoakOptions,
): SoakFleet {
  const { chain } = drill.fleet.file;
  const checks = new SafetyCheck({
    // A clone tells another p2p address: Commander changes the sentries' peers, and they restart their nodes.
    rpc: chain.others[0]?.rpc ?? drill.rpc,
    binary: chain.binary,
    consensusKeyFile: chain.consensusKeyFile,
    address: drill.address,
  });
  for (const { signerState } of drill.validators) checks.addJournal(signerState);
  const { beam, pilot, signer } = bundleCommands(bundles);
  return {
    drill,
    network,
    checks,
    beam,
    pilot,
    signer,
    clones: join(data, 'clones'),
    holder: '',
    recordHistory: [],
    alerts,
    clonesThatSigned: 0,
    say,
    signal,
  };
}

async function doSteps(
  soak: SoakFleet,
  { seed, minutes, say, signal }: SoakOptions,
  run: SoakRun,
): Promise<void> {
  const until = performance.now() + minutes * 60_000;
  await noteRecord(soak);
  for (const step of soakSteps(seed)) {
    if (performance.now() >= until) return;
    const leftMinutes = (until - performance.now()) / 60_000;
    say(
      `step ${step.index} (${leftMinutes.toFixed(1)} min left): ${step.faults.map(describeFault).join(' + ')}`,
    );
    const outcomes = await Promise.allSettled(step.faults.map((fault) => doFault(soak, fault)));
    signal.throwIfAborted();
    for (const [index, outcome] of outcomes.entries()) {
      const kind = step.faults[index]?.kind ?? '';
      run.faults[kind] = (run.faults[kind] ?? 0) + 1;
      if (outcome.status === 'rejected') fail(run, step, `${kind}: ${String(outcome.reason)}`);
    }
    const mendedMs = Date.now();
    const missing = await soak.drill.settle(mendedMs, settleMsMax, signal);
    if (missing !== undefined) {
      fail(run, step, `the fleet is not whole again after ${settleMsMax / 1000} s: ${missing}`);
    }
    const settled = (Date.now() - mendedMs) / 1000;
    run.settleSeconds.push(settled);
    await noteRecord(soak);
    run.findings = await soak.checks.look();
    const broken = judgeSafety(run.findings);
    for (const what of broken) fail(run, step, what);
    const failed = run.failures.filter((failure) => failure.step === step.index);
    say(
      `  whole after ${settled.toFixed(1)} s, height ${run.findings.height}, ${run.findings.missedBlocks} missed`,
    );
    for (const { what } of failed) say(`  FAILED: ${what}`);
    // A broken promise of safety is looked into at once; a fleet that does not come back can't be soaked on.
    if (broken.length > 0 || missing !== undefined || run.failures.length >= failuresMax) return;
  }
}

function fail(run: SoakRun, step: Step, what: string): void {
  const faults = step.faults.map(describeFault);
  run.failures.push({ at: new Date().toISOString(), step: step.index, faults, what });
}

async function medianBlock({ checks }: SoakFleet, height: number): Promise<number> {
  const from = Math.max(1, height - blocksForMedian);
  if (height <= from) return 0;
  return (await blockTimes(checks.rpc, from, height)).medianSeconds;
}

function reportOf(run: SoakRun, seed: number, minutes: number, loadBefore: number): SoakReport {
  const { findings, failures } = run;
  const settled = [...run.settleSeconds].sort((a, b) => a - b);
  const faultsTotal = Object.values(run.faults).reduce((sum, count) => sum + count, 0);
  const rounded = (value: number) => Math.round(value * 100) / 100;
  return {
    seed,
    minutes: rounded(minutes),
    faults: run.faults,
    faultsTotal,
    conflicts: findings?.conflicts.length ?? 0,
    evidence: findings?.evidence ?? 0,
    tombstoned: findings?.tombstoned ?? false,
    jailed: findings?.jailed ?? false,
    blocks: findings?.height ?? 0,
    missedBlocks: findings?.missedBlocks ?? 0,
    blockSeconds: rounded(run.blockSeconds),
    clonesThatSigned: run.clonesThatSigned,
    settleSeconds: {
      median: rounded(settled[Math.floor(settled.length / 2)] ?? 0),
      max: rounded(settled.at(-1) ?? 0),
    },
    loadAverage: [rounded(loadBefore), rounded(loadavg()[0] ?? 0)],
    ok: failures.length === 0 && faultsTotal > 0 && findings !== undefined,
    failures,
  };
}
