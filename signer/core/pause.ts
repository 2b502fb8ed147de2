/** A wait that can be cut short. */

import type { Clock } from './ports.ts';

export class Pause {
  readonly #clock: Clock;
  readonly #waiting = new Set<AbortController>();
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
    const controller = new AbortController();
    this.#waiting.add(controller);
    await this.#clock.sleep(ms, controller.signal);
    this.#waiting.delete(controller);
  }

  wake(): void {
    this.#woken = this.#waiting.size === 0;
    for (const controller of this.#waiting) controller.abort('woken');
  }
}
