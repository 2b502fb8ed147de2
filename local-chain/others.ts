/**
 * The simulated validators: carries out what `planNetwork` says, while this node has a way to them. Each process of
 * the chain runs one; the network's folder makes sure that each step happens once.
 */

import { decide, makeBlock } from './block.ts';
import type { Genesis } from './genesis.ts';
import type { DecidedBlock, NetworkFolder } from './network-folder.ts';
import { type NetworkTiming, planNetwork } from './network-plan.ts';
import { proposerAt, validatorsAt } from './validators.ts';

/** A wait that took this much longer than meant: the process was frozen, and what it saw is old. */
const frozenMs = 1_000;
/** Longest sleep between two looks. */
const lookMs = 500;
/** Processes come one after the other, so that mostly one of them does the work. */
const staggerMs = 6;
const staggerSlots = 4;
const evidencePerBlockMax = 10;

/** What the proposer of `height` puts into the block, as it lies in the folder now. */
export function proposalOf(
  genesis: Genesis,
  network: NetworkFolder,
  height: number,
  last: DecidedBlock | undefined,
  proposer: string,
) {
  const included = new Set(last?.state.evidence);
  return makeBlock(genesis, {
    height,
    proposer,
    last,
    ourLastPrecommits: last ? network.votes(last.height, last.round, 2) : [],
    evidence: network
      .evidence()
      .filter(({ name }) => !included.has(name))
      .slice(0, evidencePerBlockMax)
      .map(({ evidence }) => evidence),
  });
}

/** When the pause after `last` is over. */
export function heightStartMs(
  genesis: Genesis,
  timing: NetworkTiming,
  last: DecidedBlock | undefined,
): number {
  return last ? last.decidedAt + timing.pauseMs : genesis.time;
}

export interface OthersOptions {
  genesis: Genesis;
  network: NetworkFolder;
  timing: NetworkTiming;
  /** Whether this node has a way to the other validators. */
  reachable(): boolean;
  now(): number;
  signal: AbortSignal;
}

export async function runOthers(options: OthersOptions): Promise<void> {
  const { network, reachable, now, signal } = options;
  const offsetMs = (process.pid % staggerSlots) * staggerMs;
  let watchingSince = now();
  while (!signal.aborted) {
    if (!reachable()) {
      await network.changed(lookMs, signal);
      watchingSince = now();
      continue;
    }
    const waitMs = oneStep(options, watchingSince, offsetMs);
    if (waitMs === 0) continue;
    const before = now();
    await network.changed(Math.min(waitMs, lookMs), signal);
    if (now() - before > waitMs + frozenMs) watchingSince = now();
  }
}

/** @returns how long to wait before the next look, ms. */
function oneStep(
  { genesis, network, timing, now }: OthersOptions,
  watchingSince: number,
  offsetMs: number,
): number {
  const tip = network.tip();
  const last = tip > 0 ? network.block(tip) : undefined;
  const height = tip + 1;
  const validators = validatorsAt(genesis, last?.state, height);
  const rounds = network.rounds(height);
  const step = planNetwork(
    {
      startAt: heightStartMs(genesis, timing, last),
      watchingSince,
      rounds,
      ourTurn: (round) => !genesis.others.has(proposerAt(validators, height, round).address),
    },
    timing,
    now() - offsetMs,
  );
  if (step.act === 'wait') return Math.max(1, step.untilMs + offsetMs - now());
  const { act, round } = step;
  if (act === 'propose') {
    const made = proposalOf(genesis, network, height, last, proposerAt(validators, height, round).address);
    network.writeRound(height, round, { proposedAt: now(), ...made });
  } else if (act === 'fail') {
    network.writeRound(height, round, { failedAt: now() });
  } else {
    const proposed = rounds[round];
    if (proposed && 'proposedAt' in proposed)
      network.writeBlock(decide(genesis, round, proposed, last, now()));
  }
  return 0;
}
