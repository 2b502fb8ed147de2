/** One round of a drill: a whole fleet, a fault to its active, what was measured until the fleet was whole again. */

import { setTimeout as delay } from 'node:timers/promises';
import type { SignPosition } from '../../protocol/sign-position.ts';
import {
  blockTimes,
  commitSignatures,
  duplicateVoteEvidence,
  longestGapSeconds,
  missedBlocks,
  signaturesOf,
} from '../chains/observe.ts';
import type { FleetServer } from '../nodes/fleet-server.ts';
import { waitUntil } from '../wait-until.ts';
import type { DrillFleet } from './drill-fleet.ts';
import { type Inflicted, inflict, processesOf } from './inflict.ts';
import { findConflicts, releasedBeyond } from './journals.ts';
import { type Fault, type Round, secondsWithoutSignatureMax } from './judge.ts';

export interface RoundOptions {
  fault: Fault;
  /** As asked for. */
  blockSeconds: number;
  /** 0 to 1: faults come at any moment of a block. */
  random(): number;
  signal: AbortSignal;
}

/** Beyond the bound a signature is still waited for, so that the report can say how late it was. */
const lateMs = 60_000;
export const settleMsMax = 120_000;
const freezeMs = 30_000;
/** A write that was under way when its process froze has arrived by then; a takeover takes longer. */
const writeInFlightMs = 300;
const lookEveryMs = 100;
/** Blocks before the fault that the median is taken from, too. */
const blocksBefore = 10;

export async function runRound(drill: DrillFleet, options: RoundOptions): Promise<Round> {
  const { fault, signal } = options;
  const { commits, address } = drill;
  const before = await drill.record();
  const active = drill.serverOf(before.holder);
  const processesBefore = processesOf(active, drill.fleet.runner);
  await delay(options.random() * options.blockSeconds * 1000, undefined, { signal });
  const heightBefore = commits.latest;

  const inflicted = await doFault(drill, active, options);
  const signedIn = await firstSignature(drill, inflicted.atMs, address, options);
  let wakes: { entries: number; recorded: SignPosition } | undefined;
  try {
    if (fault === 'freeze') {
      const { frozenAt } = inflicted;
      await delay(Math.max(0, inflicted.atMs + freezeMs - Date.now()), undefined, { signal });
      const journal = (await drill.journals()).find(({ server }) => server === active);
      wakes = { entries: journal?.entries.length ?? 0, recorded: frozenAt ?? before };
    }
  } finally {
    inflicted.mend();
  }
  const missing = await drill.settle(Date.now(), settleMsMax, signal);
  // The last commit that counts is final once the next block is there.
  await commits.waitFor(commits.latest + 2, blockWaitMs(options), signal);
  const heightAfter = commits.latest - 1;

  const after = await drill.record();
  const journals = await drill.journals();
  const evidence = await duplicateVoteEvidence(drill.rpc, 1, heightAfter);
  const { medianSeconds } = await blockTimes(
    drill.rpc,
    Math.max(1, heightBefore - blocksBefore),
    heightAfter,
  );
  const woken = journals.find(({ server }) => server === active)?.entries.slice(wakes?.entries ?? 0) ?? [];
  return {
    fault,
    blockSeconds: medianSeconds,
    missedHeights: await missedBlocks(drill.rpc, address, heightBefore + 1, heightAfter),
    secondsWithoutSignature: signedIn === undefined ? undefined : (signedIn.atMs - inflicted.atMs) / 1000,
    gapSeconds: longestGapSeconds(
      await signaturesOf(drill.rpc, address, Math.max(1, heightBefore - 1), heightAfter),
    ),
    epochBefore: before.epoch,
    epochAfter: after.epoch,
    holderBefore: before.holder,
    holderAfter: after.holder,
    activeAtEnd: drill.activeThings(),
    conflicts: findConflicts(journals.map(({ entries }) => entries)).length,
    evidence: evidence.filter((found) => found.validatorAddress.toUpperCase() === address.toUpperCase())
      .length,
    restartedBesidePilot: fault === 'pilot' ? restarted(drill, active, processesBefore) : [],
    releasedAfterWake: wakes ? releasedBeyond(woken, wakes.recorded, before.epoch).length : 0,
    notRecovered: missing === undefined ? [] : [`the fleet is not whole again: ${missing}`],
  };
}

async function doFault(
  drill: DrillFleet,
  active: FleetServer,
  { fault }: RoundOptions,
): Promise<Inflicted & { frozenAt?: SignPosition }> {
  if (fault === 'none') {
    const standby = drill.validators.find((server) => server !== active);
    if (!standby) throw new Error('a switch needs a second validator');
    const atMs = Date.now();
    await drill.switchTo(standby);
    return { atMs, mend: () => {} };
  }
  const inflicted = inflict(fault, active, drill.fleet.runner);
  if (fault !== 'freeze') return inflicted;
  await delay(writeInFlightMs);
  const { height, round, step } = await drill.record();
  return { ...inflicted, frozenAt: { height, round, step } };
}

/** The first commit with a signature that was made after `sinceMs`: its height, and when it arrived. */
async function firstSignature(
  drill: DrillFleet,
  sinceMs: number,
  address: string,
  options: RoundOptions,
): Promise<{ height: number; atMs: number } | undefined> {
  const { commits } = drill;
  const looked = new Set<number>();
  let found: { height: number; atMs: number } | undefined;
  const look = async () => {
    const journals = await drill.journals();
    const made = journals
      .flatMap(({ entries }) => entries)
      .filter(({ type, blockId }) => type === 'precommit' && blockId !== '')
      .map(({ height, at }) => ({ height, atMs: Date.parse(at) }))
      .filter(({ atMs }) => atMs >= sinceMs)
      .sort((a, b) => a.height - b.height);
    for (const { height, atMs } of made) {
      const arrivedAtMs = commits.arrivedAtMs(height);
      // A commit is final with the next block.
      if (looked.has(height) || arrivedAtMs === undefined || commits.latest <= height) continue;
      looked.add(height);
      if ((await commitSignatures(drill.rpc, height, address)) !== 'signed') continue;
      // The others' votes may have made the commit before ours came into it.
      found = { height, atMs: Math.max(arrivedAtMs, atMs) };
      return true;
    }
    return false;
  };
  const timeoutMs = (secondsWithoutSignatureMax + options.blockSeconds * 3) * 1000 + lateMs;
  await waitUntil(look, { everyMs: lookEveryMs, timeoutMs, signal: options.signal });
  return found;
}

function blockWaitMs({ blockSeconds }: RoundOptions): number {
  return blockSeconds * 5_000 + 20_000;
}

/** Which of the active's gaiad and signer is not the process that it was. */
function restarted(drill: DrillFleet, active: FleetServer, before: ReturnType<typeof processesOf>): string[] {
  const { runner } = drill.fleet;
  const now = {
    gaiad: active.gaiad(),
    signer: active.signerProcess === undefined ? undefined : runner.identity(active.signerProcess),
  };
  return (['gaiad', 'signer'] as const).filter(
    (name) => now[name]?.pid !== before[name].pid || now[name]?.startTime !== before[name].startTime,
  );
}
