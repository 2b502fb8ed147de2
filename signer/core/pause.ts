/** A wait that can be cut short. */

import type { Clock } from './ports.ts';
import { Waker } from './within.ts';

export class Pause {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waker>();
  /** A call for nobody counts for the next who waits. */
  #woken = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends after `ms`, or with the next `wake`. */
  async for(ms: number): Promise<void> {
    if (this.#woken) {
      this.#woken = false;
      return;
    }
    const waker = new Waker();
    this.#waiting.add(waker);
    await this.#clock.sleep(ms, waker);
    this.#waiting.delete(waker);
  }

  wake(): void {
    this.#woken = this.#waiting.size === 0;
    for (const waker of this.#waiting) waker.wake();
  }
}
