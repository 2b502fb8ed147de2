/** The signer's state in memory and on disk. Memory is never behind the disk; saves go one after the other. */

import { Refusal } from '../refusal.ts';
import { Mutex } from './mutex.ts';
import type { StateFile } from './ports.ts';
import type { SignerState } from './state.ts';

export class StateKeeper {
  readonly #file: StateFile;
  readonly #saving = new Mutex();
  readonly #onFailure: (error: unknown) => void;
  #state: SignerState;
  #saved: SignerState;
  #failure: Refusal | undefined;

  /** @param onFailure called once, when a save failed: the process must end. */
  constructor(file: StateFile, state: SignerState, onFailure: (error: unknown) => void) {
    this.#file = file;
    this.#state = state;
    this.#saved = state;
    this.#onFailure = onFailure;
  }

  get state(): SignerState {
    return this.#state;
  }

  /** Changes memory alone. */
  change(to: (state: SignerState) => SignerState): void {
    this.#state = to(this.#state);
  }

  /** Whether the disk lacks an epoch or a height that memory has. Within a height the disk may lag. */
  get lags(): boolean {
    const { epochSeen, seen, incarnation, bar } = this.#state;
    const saved = this.#saved;
    return (
      epochSeen > saved.epochSeen ||
      seen.height > saved.seen.height ||
      incarnation !== saved.incarnation ||
      bar !== saved.bar
    );
  }

  /**
   * Resolves when the disk holds at least what memory holds now.
   * @throws Refusal when it does not; from then on always, as nobody knows what the disk holds.
   */
  save(): Promise<void> {
    return this.#saving.run(async () => {
      if (this.#failure) throw this.#failure;
      const state = this.#state;
      if (state === this.#saved) return;
      try {
        await this.#file.save(state);
      } catch (error) {
        this.#failure = new Refusal(
          'state-unwritten',
          'the signer state could not be written, so nothing is signed and the signer ends; make room or mend the disk, and start it again',
          { cause: error },
        );
        this.#onFailure(error);
        throw this.#failure;
      }
      this.#saved = state;
    });
  }
}
