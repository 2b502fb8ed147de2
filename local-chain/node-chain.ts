/** The chain as this node has it: its height, kept in its home, and its news for whoever listens. */

import { EventEmitter } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import type { BlockIdJson, VoteJson } from './chain-json.ts';
import type { DecidedBlock, NetworkFolder } from './network-folder.ts';

/** `data/stand_in_state.json` in the home. */
export const nodeStateFile = z.object({ height: z.number().int().nonnegative(), hash: z.string() });

/** Catching up takes this many steps at most, whatever the distance. */
const syncSteps = 15;
const syncStepMs = 60;
/** Nearer than this to the head, a node is level. */
const levelBlocks = 2;
const lookMs = 100;

/** The home and the chain's folder do not belong together. */
export class ForeignHomeError extends Error {
  override readonly name = 'ForeignHomeError';
}

export interface RoundNews {
  height: number;
  round: number;
  proposer: string;
}

export interface ProposalNews {
  height: number;
  round: number;
  blockId: BlockIdJson;
}

export class NodeChain {
  readonly news = new EventEmitter<{
    block: [DecidedBlock];
    /** A round of a height that this node takes part in begins. */
    round: [RoundNews];
    /** A round's proposal is there, whole. */
    proposal: [ProposalNews];
    /** Of our validator: the others are no nodes. */
    vote: [VoteJson];
  }>().setMaxListeners(0);
  readonly #statePath: string;
  #height: number;
  #catchingUp = true;

  constructor(options: { statePath: string; height: number }) {
    this.#statePath = options.statePath;
    this.#height = options.height;
  }

  get height(): number {
    return this.#height;
  }
  get catchingUp(): boolean {
    return this.#catchingUp;
  }

  commit(block: DecidedBlock): void {
    this.#height = block.height;
    const temporary = `${this.#statePath}.tmp`;
    writeFileSync(temporary, `${JSON.stringify({ height: block.height, hash: block.blockId.hash })}\n`);
    renameSync(temporary, this.#statePath);
    this.news.emit('block', block);
  }

  /**
   * Takes the blocks that this node lacks.
   * @throws ForeignHomeError where the home is ahead of the chain.
   */
  async catchUp(network: NetworkFolder, reachable: () => boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (!reachable()) {
        await network.changed(lookMs, signal);
        continue;
      }
      const tip = network.tip();
      if (this.#height > tip) {
        throw new ForeignHomeError(
          `${this.#statePath} says height ${this.#height}, the chain's folder is at ${tip}: the folder named in ` +
            "genesis.json (app_state.stand_in.network) was emptied or is another chain's; make the chain anew",
        );
      }
      const behind = tip - this.#height;
      if (behind < levelBlocks) break;
      const stride = Math.ceil(behind / syncSteps);
      while (this.#height < tip && !signal.aborted) {
        const block = network.block(Math.min(this.#height + stride, tip)) ?? network.block(tip);
        if (!block) break;
        this.commit(block);
        await delay(syncStepMs);
      }
    }
    this.#catchingUp = false;
  }
}
