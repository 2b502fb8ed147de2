/** What the node beside does, seen from its requests and its pilot's notices. */

import { type BlockClock, blockMs, noBlocks, withHeight } from './block-clock.ts';

/** A node that asked so lately still asks, however short blocks are. */
const askedMsMin = 1000;

export class NodeWatch {
  #blocks: BlockClock = noBlocks;
  #connected = false;
  #wasConnected = false;
  #askedMs: number | undefined;

  get connected(): boolean {
    return this.#connected;
  }

  /** Whether a node that was there went away. */
  get gone(): boolean {
    return this.#wasConnected && !this.#connected;
  }

  get askedMs(): number | undefined {
    return this.#askedMs;
  }

  get blockMs(): number | undefined {
    return blockMs(this.#blocks);
  }

  /** The highest height that the node is known to have committed. */
  get height(): number {
    return this.#blocks.height;
  }

  connection(connected: boolean): void {
    this.#connected = connected;
    this.#wasConnected ||= connected;
  }

  asked(nowMs: number): void {
    this.#askedMs = nowMs;
  }

  committed(height: number, nowMs: number): void {
    this.#blocks = withHeight(this.#blocks, height, nowMs);
  }

  /** Connected, and asked something lately; before a block time is known, connection is enough. */
  asks(nowMs: number): boolean {
    if (!this.#connected) return false;
    const block = this.blockMs;
    if (block === undefined) return true;
    return this.#askedMs !== undefined && nowMs - this.#askedMs <= Math.max(1.5 * block, askedMsMin);
  }
}
