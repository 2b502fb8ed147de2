/**
 * gaiad on one of our servers: follows the chain as far as its network lets it, and asks the signer beside it. One
 * thing at a time, as CometBFT's consensus does: while it waits for its signer it hears nothing.
 */

import type { Ask } from '../../signer/rehearsal/requests.ts';
import type { SeededChance } from '../../signer/rehearsal/seeded.ts';
import type { Process } from '../world/process.ts';
import type { Chain, ChainEvent } from './chain.ts';

/** How often a node is odd, each in [0, 1]. */
export interface NodeRates {
  /** Asks once more for what it just asked, with another time. */
  repeats: number;
  /** Asks for another block at the same position. */
  differs: number;
  /** Asks for a height far off. */
  leaps: number;
  /** Asks for a nil precommit at each height that it missed. */
  late: number;
}

type Event = ChainEvent | { kind: 'propose-timeout'; height: number; round: number };

export interface NodeParts {
  process: Process;
  chain: Chain;
  chance: SeededChance;
  rates: () => NodeRates;
  /** Whether messages of the other validators reach this server. */
  reachesChain: () => boolean;
  /** @returns whether the signer signed it; false after an error or silence */
  ask: (ask: Ask) => Promise<boolean>;
  onCommit: (height: number) => void;
  /** A name for blocks of its own making. */
  name: string;
  extensions: boolean;
}

const hearBlocksMax = 1 / 25;
const mailboxMax = 200;
/** Behind by more than this it is in block sync. */
const catchingUpBlocks = 2;
const syncMs = 15;

export class Node {
  readonly #parts: NodeParts;
  #mailbox: Event[] = [];
  #wake: (() => void) | undefined;
  #committed: number;
  #height = 0;
  #round = 0;
  #step = 0;
  #block = '';
  #locked = '';
  #catchingUp = false;
  #stop: () => void = () => {};

  /** @param committed what its data folder holds */
  constructor(parts: NodeParts, committed: number) {
    this.#parts = parts;
    this.#committed = committed;
  }

  get committed(): number {
    return this.#committed;
  }

  get catchingUp(): boolean {
    return this.#catchingUp;
  }

  start(): void {
    const { chain, process, chance, rates, reachesChain } = this.#parts;
    this.#stop = chain.follow((event) => {
      if (process.dead) return this.#stop();
      if (!reachesChain()) return;
      // Commits come in the end; other messages may be missed, one by one.
      if (event.kind !== 'commit' && chance.happens(chain.rates.unseen)) return;
      void process.sleep(chance.next() * hearBlocksMax * chain.rates.blockMs).then(() => this.#post(event));
    });
    // What its WAL replays is the height it was at, from the start, with the clock as it is now.
    this.#post({ kind: 'commit', height: chain.height });
    if (chance.happens(rates().late))
      this.#post({ kind: 'round', height: chain.height + 1, round: 0, ours: false, valid: '' });
    void this.#run();
  }

  #post(event: Event): void {
    if (this.#mailbox.length >= mailboxMax) this.#mailbox.shift();
    this.#mailbox.push(event);
    this.#wake?.();
  }

  async #run(): Promise<void> {
    const { process } = this.#parts;
    while (!process.dead) {
      const event = this.#mailbox.shift();
      if (event) await this.#take(event);
      else {
        await new Promise<void>((resolve) => {
          this.#wake = () => process.deliver(resolve);
        });
        this.#wake = undefined;
      }
    }
  }

  async #take(event: Event): Promise<void> {
    const { height } = event;
    if (event.kind === 'commit') return await this.#follow(height);
    if (height <= this.#committed) return;
    await this.#follow(height - 1);
    const { chance, rates } = this.#parts;
    if (event.kind === 'round') {
      if (height > this.#height || event.round > this.#round || this.#step === 0) await this.#enter(event);
      return;
    }
    if (height !== this.#height || event.round !== this.#round) return;
    if (event.kind === 'proposal' || event.kind === 'propose-timeout') {
      if (this.#step >= 2) return;
      this.#block = event.kind === 'proposal' ? event.block : '';
      await this.#prevote();
    } else {
      if (this.#step < 2) await this.#prevote();
      if (this.#step >= 3) return;
      this.#step = 3;
      if (event.block !== '') this.#locked = event.block;
      await this.#vote(3, event.block);
      if (chance.happens(rates().leaps)) {
        await this.#sign({ height: height + 2 + chance.below(1000), round: 0, step: 2, block: 'far' });
      }
    }
  }

  async #enter(event: Extract<Event, { kind: 'round' }>): Promise<void> {
    const { chain, process, chance, name } = this.#parts;
    const { height, round } = event;
    if (height > this.#height) this.#locked = '';
    this.#height = height;
    this.#round = round;
    this.#step = 1;
    this.#block = '';
    void process
      .sleep(chain.proposeTimeoutMs)
      .then(() => this.#post({ kind: 'propose-timeout', height, round }));
    if (!event.ours) return;
    const block = this.#locked || event.valid || `${name} ${height}/${round}/${chance.below(1000)}`;
    if (await this.#sign({ height, round, step: 1, block })) chain.hear(height, round, 1, block);
  }

  async #prevote(): Promise<void> {
    this.#step = 2;
    // Locked, it votes for its block or nil; a polka that it did not see may have let others move on.
    const block = this.#locked === '' || this.#locked === this.#block ? this.#block : '';
    await this.#vote(2, block);
  }

  async #vote(step: 2 | 3, block: string): Promise<void> {
    const [height, round] = [this.#height, this.#round];
    const signed = await this.#sign({ height, round, step, block });
    if (signed && this.#parts.reachesChain()) this.#parts.chain.hear(height, round, step, block);
  }

  async #sign(ask: Ask): Promise<boolean> {
    const { chance, process, rates, extensions } = this.#parts;
    const { repeats, differs } = rates();
    const seconds = Math.floor(process.wallMs() / 1000) + chance.below(2);
    const extension =
      extensions && ask.step === 3 && ask.block !== '' ? { extension: `e${chance.below(9)}` } : {};
    const whole: Ask = { ...ask, seconds, ...extension };
    const signed = await this.#parts.ask(whole);
    if (repeats > 0 && chance.happens(repeats))
      await this.#parts.ask({ ...whole, seconds: seconds + chance.below(3) });
    if (differs > 0 && chance.happens(differs)) {
      const { extension: _, ...bare } = whole;
      await this.#parts.ask({
        ...bare,
        block: ask.step !== 1 && chance.happens(0.4) ? '' : `other ${chance.below(2)}`,
      });
    }
    return signed;
  }

  /** Commits all up to `height`; the node missed whatever lies between. */
  async #follow(height: number): Promise<void> {
    const { process, chance, rates, onCommit } = this.#parts;
    this.#catchingUp = height - this.#committed > catchingUpBlocks;
    while (this.#committed < height) {
      const next = this.#committed + 1;
      if (next < height) {
        await process.sleep(syncMs);
        if (chance.happens(rates().late)) await this.#sign({ height: next, round: 0, step: 3, block: '' });
      }
      this.#committed = next;
      onCommit(next);
    }
    if (this.#height <= this.#committed) {
      this.#step = 0;
      this.#round = -1;
    }
    this.#catchingUp = false;
  }
}
