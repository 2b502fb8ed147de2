/** What befalls a fleet, as data: drawn from a seed, and shrunk as a list when it led to a violation. */

import { SeededChance } from '../signer/rehearsal/seeded.ts';
import type { ChainRates } from './chain/chain.ts';
import type { NodeRates } from './chain/node.ts';
import type { LambdaRates } from './cloud/commander.ts';
import type { NetworkRates } from './world/network.ts';

export const faultKinds = [
  'kill-signer',
  'kill-pilot',
  'kill-node',
  'host-off',
  'power-loss',
  'freeze-host',
  'freeze-signer',
  'cut-cloud',
  'cut-cloud-up',
  'cut-cloud-down',
  'cut-p2p',
  'rpc-silent',
  'clone',
  'old-disk',
  'disk-full',
  'record-deleted',
  'record-made-again',
  'record-restored',
  'record-edited',
  'dynamo-down',
  'clock-jump',
  'chain-halt',
  'foreign-signer',
  'edit',
  'stray-grant',
  'node-restart-all',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  kind: FaultKind;
  /** ms from the episode's start. */
  atMs: number;
  forMs: number;
  /** Which server, of as many as there are; further choices of the fault. */
  server: number;
  choice: number;
}

export interface Mix {
  guard: 'record' | 'local';
  servers: number;
  chain: ChainRates;
  node: NodeRates;
  network: NetworkRates;
  lambda: LambdaRates;
  throttled: number;
  failing: number;
  dies: number;
  extensions: boolean;
  cooldownSeconds: number;
  healthSeconds: number;
  /** Of a machine's monotonic clock: 1 ± this. */
  drift: number;
}

export interface Schedule {
  seed: number;
  mix: Mix;
  /** How long faults last altogether. */
  faultyMs: number;
  faults: Fault[];
}

const faultyBlocks = 40;
const faultsMax = 14;
/** Faults that rewrite history: one kind an episode, as an operator who meets two at once is beyond any rule. */
const rewriting: readonly FaultKind[] = [
  'old-disk',
  'record-deleted',
  'record-made-again',
  'record-restored',
  'record-restored',
  // Of many kinds itself.
  'record-edited',
  'record-edited',
  'record-edited',
  'foreign-signer',
];
/** Under the local guard this machine's disk is all that there is: nothing stands behind an old copy of it. */
const notLocal: readonly FaultKind[] = [
  'old-disk',
  'record-deleted',
  'record-made-again',
  'record-restored',
  'record-edited',
  'dynamo-down',
  'stray-grant',
  'edit',
];

/** Each episode has its own mix: some faults often, others not at all, so that each gets its chance to matter. */
export function drawSchedule(seed: number): Schedule {
  const chance = new SeededChance(seed);
  const sometimes = (probability: number, most: number) =>
    chance.happens(probability) ? chance.next() * most : 0;
  const guard = chance.happens(0.12) ? 'local' : 'record';
  const blockMs = chance.pick([200, 200, 200, 300, 400, 600, 1300, 6000]);
  const mix: Mix = {
    guard,
    servers: guard === 'local' ? 1 : chance.happens(0.7) ? 2 : 3,
    chain: {
      blockMs,
      validators: 2 + chance.below(4),
      noProposal: sometimes(0.6, 0.2),
      noPolka: sometimes(0.6, 0.3),
      noCommit: sometimes(0.6, 0.4),
      unseen: sometimes(0.7, 0.25),
    },
    node: {
      repeats: sometimes(0.7, 0.6),
      differs: sometimes(0.6, 0.4),
      leaps: sometimes(0.2, 0.05),
      late: sometimes(0.6, 0.8),
    },
    network: {
      delayMsMax: 5 + chance.next() * (chance.happens(0.3) ? 250 : 20),
      lost: sometimes(0.5, 0.06),
      twice: sometimes(0.4, 0.1),
      late: sometimes(0.5, 0.08),
      lateMsMax: 6000,
    },
    lambda: { delayMsMax: 10 + chance.next() * 200, dies: sometimes(0.5, 0.3), twice: sometimes(0.5, 0.3) },
    throttled: sometimes(0.3, 0.05),
    failing: sometimes(0.3, 0.05),
    dies: sometimes(0.5, 0.5),
    extensions: chance.happens(0.3),
    cooldownSeconds: chance.pick([0, 0, 2, 10]),
    healthSeconds: chance.pick([2, 10]),
    drift: sometimes(0.3, 0.1),
  };
  const faultyMs = faultyBlocks * Math.min(Math.max(blockMs, 400), 1300);
  const here = (kind: FaultKind) => guard === 'record' || !notLocal.includes(kind);
  const kinds = faultKinds.filter((kind) => !rewriting.includes(kind) && here(kind) && chance.happens(0.4));
  const faults: Fault[] = [];
  const add = (kind: FaultKind) =>
    faults.push({
      kind,
      atMs: Math.round(chance.next() * faultyMs),
      forMs: Math.round(chance.next() ** 2 * faultyMs * 0.6),
      server: chance.below(6),
      choice: chance.below(1000),
    });
  for (let left = kinds.length > 0 ? chance.below(faultsMax + 1) : 0; left > 0; left--)
    add(chance.pick(kinds));
  if (chance.happens(0.5)) {
    const kind = chance.pick(rewriting.filter(here));
    for (let left = 1 + chance.below(3); left > 0; left--) add(kind);
  }
  faults.sort((a, b) => a.atMs - b.atMs);
  return { seed, mix, faultyMs, faults };
}
