/**
 * Events that wait in a queue while the fleet is being read for an earlier one are answered by that very read, where
 * they only say that something changed. One instance's memory; forgetting costs a read.
 */

/** The cloud's clock and the function's may differ by this much. */
const clocksApartMsMax = 250;
const fleetsMax = 1_000;

export class Covered {
  readonly #readFrom = new Map<string, number>();

  /** A read that began at `startedAt` (ms) led to all that was to do. */
  done(fleet: string, startedAt: number): void {
    this.#readFrom.delete(fleet);
    this.#readFrom.set(fleet, startedAt);
    const [oldest] = this.#readFrom.keys();
    if (this.#readFrom.size > fleetsMax && oldest !== undefined) this.#readFrom.delete(oldest);
  }

  /** What was received at `receivedAt` (ms) has been read since. A read that began after `now` was before a clock was set back. */
  covers(fleet: string, receivedAt: number, now: number): boolean {
    const readFrom = this.#readFrom.get(fleet);
    return readFrom !== undefined && readFrom <= now && receivedAt + clocksApartMsMax < readFrom;
  }
}
