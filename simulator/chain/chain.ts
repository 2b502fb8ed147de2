/**
 * A model of CometBFT's consensus, as much of it as decides what our validator's nodes ask their signers: heights and
 * rounds, proposals of others and of ours, polkas, rounds that fail, commits. The other validators have the power
 * to go on without us, as on any chain that matters; what our nodes see of it may differ from one to the other.
 */

import type { SeededChance } from '../../signer/rehearsal/seeded.ts';
import type { Scheduler } from '../world/scheduler.ts';

/** How a chain goes; each in [0, 1] but the times. */
export interface ChainRates {
  blockMs: number;
  /** Every so many rounds it is our turn to propose. */
  validators: number;
  /** The proposer of others fails to propose. */
  noProposal: number;
  /** A proposal gets no polka. */
  noPolka: number;
  /** A polka leads to no commit. */
  noCommit: number;
  /** A node of ours misses a message of the others. */
  unseen: number;
}

export type ChainEvent =
  | { kind: 'round'; height: number; round: number; ours: boolean; valid: string }
  | { kind: 'proposal'; height: number; round: number; block: string }
  /** Two thirds prevoted for `block`; empty: for nil. */
  | { kind: 'polka'; height: number; round: number; block: string }
  | { kind: 'commit'; height: number };

/** A message's way through the network, as a part of a block's time. */
const gossipBlocksMax = 1 / 16;
const proposeTimeoutBlocks = 2.5;
const proposeTimeoutMsMax = 3000;

interface Commit {
  round: number;
  block: string;
}

export class Chain {
  readonly #scheduler: Scheduler;
  readonly #chance: SeededChance;
  readonly #followers = new Set<(event: ChainEvent) => void>();
  readonly #commits = new Map<number, Commit>();
  /** Our precommits and proposals that reached the others: block by position. */
  readonly #precommits = new Map<string, string>();
  #proposed: { height: number; round: number; block: string; heard: () => void } | undefined;
  /** Heights in whose commit a signer that is not ours put our signature. */
  readonly foreign = new Set<number>();
  rates: ChainRates;
  /** False: no commits. */
  alive = true;

  constructor(world: { scheduler: Scheduler; chance: SeededChance }, rates: ChainRates) {
    this.#scheduler = world.scheduler;
    this.#chance = world.chance;
    this.rates = rates;
  }

  /** The last committed height. */
  get height(): number {
    return this.#commits.size;
  }

  get proposeTimeoutMs(): number {
    return Math.min(proposeTimeoutMsMax, proposeTimeoutBlocks * this.rates.blockMs);
  }

  get #gossipMs(): number {
    return this.#chance.next() * gossipBlocksMax * this.rates.blockMs;
  }

  start(): void {
    void this.#run();
  }

  follow(hear: (event: ChainEvent) => void): () => void {
    this.#followers.add(hear);
    return () => this.#followers.delete(hear);
  }

  /** A signature of ours reaches the other validators. */
  hear(height: number, round: number, step: number, block: string): void {
    if (step === 3 && block !== '') this.#precommits.set(`${height}/${round}`, block);
    const awaited = this.#proposed;
    if (step === 1 && awaited?.height === height && awaited.round === round && awaited.block === '') {
      awaited.block = block;
      awaited.heard();
    }
  }

  signedAt(height: number): boolean {
    const commit = this.#commits.get(height);
    if (!commit) return false;
    return this.foreign.has(height) || this.#precommits.get(`${height}/${commit.round}`) === commit.block;
  }

  async #run(): Promise<void> {
    const { blockMs } = this.rates;
    for (let height = 1; ; height++) {
      const beganMs = this.#scheduler.nowMs;
      const commit = await this.#decide(height);
      this.#commits.set(height, commit);
      this.#tell({ kind: 'commit', height });
      // Late precommits still count while the others wait (`timeout_commit`).
      const restMs = blockMs - (this.#scheduler.nowMs - beganMs);
      await this.#scheduler.sleep(Math.max(restMs, blockMs / 4));
    }
  }

  async #decide(height: number): Promise<Commit> {
    const chance = this.#chance;
    let valid = '';
    for (let round = 0; ; round++) {
      while (!this.alive) await this.#scheduler.sleep(200);
      const { noProposal, noPolka, noCommit, validators } = this.rates;
      const ours = (height + round) % validators === 0;
      this.#tell({ kind: 'round', height, round, ours, valid });
      let block = '';
      if (ours) block = await this.#ourProposal(height, round);
      else if (chance.happens(noProposal)) await this.#scheduler.sleep(this.proposeTimeoutMs);
      else {
        await this.#scheduler.sleep(this.#gossipMs);
        block = valid !== '' && chance.happens(0.7) ? valid : `${height}/${round}`;
      }
      if (block !== '') this.#tell({ kind: 'proposal', height, round, block });
      await this.#scheduler.sleep(this.#gossipMs + this.#gossipMs);
      const polka = block !== '' && !chance.happens(noPolka);
      if (polka) valid = block;
      this.#tell({ kind: 'polka', height, round, block: polka ? block : '' });
      await this.#scheduler.sleep(this.#gossipMs + this.#gossipMs);
      if (polka && !chance.happens(noCommit)) return { round, block };
    }
  }

  async #ourProposal(height: number, round: number): Promise<string> {
    const awaited = { height, round, block: '', heard: () => {} };
    this.#proposed = awaited;
    await new Promise<void>((resolve) => {
      awaited.heard = resolve;
      this.#scheduler.after(this.proposeTimeoutMs, resolve);
    });
    this.#proposed = undefined;
    return awaited.block;
  }

  #tell(event: ChainEvent): void {
    for (const hear of this.#followers) hear(event);
  }
}
