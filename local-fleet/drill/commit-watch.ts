/** When each height was committed, as seen at nodes that no fault touches. */

import { setTimeout as delay } from 'node:timers/promises';
import { latestHeight } from '../chains/observe.ts';

/** Of the arrival times' error; a request takes a millisecond or two. */
const pollMs = 40;

export class CommitWatch {
  readonly #rpcs: readonly string[];
  readonly #arrivals = new Map<number, number>();
  #latest = 0;
  #stopped = false;
  #loop: Promise<void> | undefined;

  /** @param rpcs http://host:port each; the first that has a height tells of it. */
  constructor(rpcs: readonly string[]) {
    this.#rpcs = rpcs;
  }

  get latest(): number {
    return this.#latest;
  }

  /** ms since 1970, this machine's clock; undefined where the height has not come while this watched. */
  arrivedAtMs(height: number): number | undefined {
    return this.#arrivals.get(height);
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
  }

  /** @throws where the height has not come by then: the chain stands still */
  async waitFor(height: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const until = performance.now() + timeoutMs;
    while (this.#latest < height) {
      if (performance.now() > until) {
        throw new Error(`the chain stands at height ${this.#latest}; ${height} was waited for`);
      }
      await delay(pollMs, undefined, { signal });
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const heights = await Promise.all(this.#rpcs.map((rpc) => latestHeight(rpc).catch(() => 0)));
      const now = Date.now();
      const height = Math.max(...heights);
      for (let fresh = this.#latest + 1; fresh <= height; fresh += 1) this.#arrivals.set(fresh, now);
      this.#latest = Math.max(this.#latest, height);
      await delay(pollMs);
    }
  }
}
