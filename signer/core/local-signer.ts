/** The guard without a record: this machine's state file alone, for a validator that signs on one server only. */

import type { JournalEntry } from '../../protocol/signer-control.ts';
import { Refusal } from '../refusal.ts';
import { checkLeap, checkOrder, checkSameAct, leaps } from './checks.ts';
import { ForeignWatch, foreignSigner } from './foreign-watch.ts';
import type { Guard, GuardStatus } from './guard.ts';
import { type Meter, timed } from './meter.ts';
import { Mutex } from './mutex.ts';
import type { Clock, Log, NodeView } from './ports.ts';
import type { Releaser, Signed } from './release.ts';
import { heldFor, isSameAct, type SignRequest } from './request.ts';
import { type HeldPosition, type SignerState, withOwn } from './state.ts';
import type { StateKeeper } from './state-keeper.ts';

export interface LocalSignerParts {
  keeper: StateKeeper;
  clock: Clock;
  node: NodeView;
  releaser: Releaser;
  meter?: Meter | undefined;
  log: Log;
  onChange: () => void;
}

export class LocalSigner implements Guard {
  readonly #parts: LocalSignerParts;
  readonly #serial = new Mutex();
  readonly #foreign: ForeignWatch;
  #barred: Refusal | undefined;
  #caughtUp = false;

  constructor(parts: LocalSignerParts) {
    this.#parts = parts;
    const { bar } = parts.keeper.state;
    if (bar) this.#barred = new Refusal(bar.code, bar.reason);
    // What was released is in memory before it is on disk, so memory is what a commit is compared with.
    const knownHeight = () => parts.keeper.state.seen.height;
    this.#foreign = new ForeignWatch({
      node: parts.node,
      log: parts.log,
      knownHeight,
      confirmedHeight: async () => knownHeight(),
      onForeign: (height, known) => this.#bar(height, known),
    });
  }

  async start(): Promise<void> {
    await this.#serial.run(() => this.#catchUp());
  }

  async stop(): Promise<void> {
    await this.#serial.run(() => this.#parts.releaser.stop());
  }

  sign(request: SignRequest, deadlineMs: number): Promise<Signed> {
    return this.#serial.run(async () => {
      const { keeper, clock, node, releaser, meter } = this.#parts;
      if (this.#barred) throw this.#barred;
      await this.#catchUp();
      const { seen } = keeper.state;
      const order = checkOrder(request, seen);
      if (leaps(request, seen.height)) checkLeap(request, seen, await node.committedHeight());
      await this.#foreign.vet(request.position.height);
      if (order === 'same') checkSameAct(request, seen, isSameAct(request, seen));
      const held = order === 'same' ? seen : heldFor(request);
      const entry = releaser.entryOf(request, held, 0);
      // The state has room for one entry: the one before must be in the journal.
      await releaser.settle();
      await timed(meter, clock, 'fsync', () => this.#keepOwn(held, entry));
      if (clock.now() >= deadlineMs) {
        throw new Refusal('too-late', 'the time of this request is over', { asked: request.position });
      }
      // A commit may have told of a foreign signer meanwhile.
      if (this.#barred) throw this.#barred;
      return await releaser.release(request, held, entry, deadlineMs);
    });
  }

  status(): GuardStatus {
    const { seen, own } = this.#parts.keeper.state;
    const { height, round, step } = own;
    return {
      state: this.#barred ? 'refusing' : 'local',
      guard: 'local',
      epoch: 0,
      height: seen.height,
      ...(this.#barred ? { reason: this.#barred.message.slice(0, 300), code: this.#barred.code } : {}),
      released: { height, round, step },
    };
  }

  connectionChanged(): void {}
  look(): void {}
  standBy(): void {}

  committed(height: number): void {
    void this.#foreign.committed(height);
  }

  /** Ahead of the first request, too: the node is served before `start`, and a request's line takes the place of the one in the state. */
  async #catchUp(): Promise<void> {
    if (this.#caughtUp) return;
    const { keeper, releaser } = this.#parts;
    await releaser.start(keeper.state.lastEntry);
    this.#caughtUp = true;
  }

  async #keepOwn(held: HeldPosition, entry: JournalEntry): Promise<void> {
    const { keeper } = this.#parts;
    keeper.change((state) => withOwn(state, held, entry));
    await keeper.save();
  }

  async #bar(height: number, known: number): Promise<Refusal> {
    const { keeper, clock, log, onChange } = this.#parts;
    this.#barred = foreignSigner(
      height,
      `this machine's state knows nothing above ${known} (or the state is an old copy)`,
      'move the signer state away and enrol again',
    );
    const bar: SignerState['bar'] = {
      code: 'foreign-signer',
      reason: this.#barred.message,
      at: new Date(clock.wall()).toISOString(),
    };
    keeper.change((state) => ({ ...state, bar }));
    log.error({ code: 'foreign-signer', height }, this.#barred.message);
    onChange();
    await keeper.save();
    return this.#barred;
  }
}
