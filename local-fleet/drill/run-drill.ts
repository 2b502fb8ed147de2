/** A drill from an empty folder to its report: a fleet of its own, round after round, everything taken down. */

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { activateFirst } from '../activate-first.ts';
import { LocalFleet, type OtherCloud } from '../fleet.ts';
import { type FleetPlan, usualNodes } from '../fleet-plan.ts';
import type { FleetNetwork } from '../network/fleet-network.ts';
import { openWatch } from '../open-watch.ts';
import { DrillFleet } from './drill-fleet.ts';
import { type DrillReport, type Fault, judgeRound, type Round, reportOf } from './judge.ts';
import { keepEvidence, removeFleetFolders } from './keep-evidence.ts';
import { runRound, settleMsMax } from './round.ts';

export interface DrillOptions {
  fault: Fault;
  times: number;
  blockSeconds: number;
  /** 'stand-in', or a chain's binary. */
  chain: string;
  /** Absolute: journals, commits and logs stay there. */
  out?: string | undefined;
  bundles: string;
  say(line: string): void;
  signal: AbortSignal;
  /** The fleet, before it starts: for who must end it at once. */
  onFleet(fleet: LocalFleet): void;
}

export interface DrillResult {
  report: DrillReport;
  rounds: Round[];
  /** Why the drill came to no proper end. */
  failure?: unknown;
}

/** Blocks before the first fault: our signature is in the commits, and a median can be taken. */
const warmUpBlocks = 3;
const warmUpMsMax = 60_000;

export async function runDrill(options: DrillOptions): Promise<DrillResult> {
  const { fault, times, say, signal, out } = options;
  const data = await mkdtemp(join(tmpdir(), 'beam-drill-'));
  const fleet = drillFleet(data, options);
  options.onFleet(fleet);
  const rounds: Round[] = [];
  let drill: DrillFleet | undefined;
  let failure: unknown;
  try {
    await fleet.start();
    drill = await openDrill(fleet, options);
    for (let turn = 1; turn <= times; turn += 1) {
      say(`round ${turn} of ${times}: ${fault === 'none' ? 'a planned switch' : `fault ${fault}`}`);
      const round = await runRound(drill, {
        fault,
        blockSeconds: options.blockSeconds,
        random: Math.random,
        signal,
      });
      rounds.push(round);
      say(describeRound(round));
    }
  } catch (error) {
    failure = error;
  }
  await drill?.close();
  say('taking the fleet down');
  await fleet.stop();
  const report = reportOf(fault, rounds, times);
  if (out !== undefined) await keepEvidence(out, fleet, drill, rounds, report);
  await removeFleetFolders(fleet, data);
  return { report, rounds, failure };
}

export interface DrillFleetOptions
  extends Pick<DrillOptions, 'bundles' | 'chain' | 'blockSeconds' | 'say' | 'signal'> {
  nodes?: FleetPlan['nodes'];
  network?: FleetNetwork;
  cloud?: OtherCloud;
}

/** A fleet on free ports in a folder of its own, not started. */
export function drillFleet(data: string, options: DrillFleetOptions): LocalFleet {
  const { bundles, chain, blockSeconds, say, signal, nodes = usualNodes(), network, cloud } = options;
  return new LocalFleet({
    data,
    bundles,
    plan: {
      fleet: 'drill',
      chainId: 'beam-drill',
      chain,
      blockSeconds,
      freePortsOnly: true,
      nodes,
    },
    // Each round is a fleet of its own to the judge.
    cooldownSeconds: 0,
    healthSeconds: 2,
    say,
    onProcess: (event) => {
      if (event.type === 'ended') say(`  ${event.name} (${event.pid}) ended: ${event.how}`);
      if (event.type === 'failed') say(`  ${event.name} does not start: ${event.reason}`);
    },
    signal,
    network,
    cloud,
  });
}

/** The started fleet, watched, with its first validator active and signing. */
export async function openDrill(
  fleet: LocalFleet,
  { say, signal }: Pick<DrillOptions, 'say' | 'signal'>,
): Promise<DrillFleet> {
  const watch = await openWatch(fleet, {
    onChange: (_view, lines) => {
      for (const line of lines) say(`  ${line}`);
    },
    onTrouble: say,
  });
  const drill = new DrillFleet(fleet, watch);
  try {
    drill.commits.start();
    await watch.start();
    await activateFirst(fleet, watch, settleMsMax, signal);
    const missing = await drill.settle(0, settleMsMax, signal);
    if (missing !== undefined) throw new Error(`the fleet did not come up: ${missing}`);
    await drill.commits.waitFor(drill.commits.latest + warmUpBlocks, warmUpMsMax, signal);
    return drill;
  } catch (error) {
    await drill.close();
    throw error;
  }
}

function describeRound(round: Round): string {
  const { missedHeights, secondsWithoutSignature: seconds, epochBefore, epochAfter, holderAfter } = round;
  const broken = judgeRound(round);
  return [
    `  ${missedHeights.length} missed`,
    seconds === undefined ? 'no signature again' : `${seconds.toFixed(2)} s without a signature`,
    `a gap of ${round.gapSeconds.toFixed(2)} s`,
    `epoch ${epochBefore} → ${epochAfter} (${holderAfter})`,
    `blocks of ${round.blockSeconds.toFixed(2)} s`,
    broken.length === 0 ? 'ok' : `NOT ok: ${broken.join('; ')}`,
  ].join(', ');
}
