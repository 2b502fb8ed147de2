/**
 * Fleets in which the last look found nothing to do: each change of a node's report brings an event, so the minute's sweep reads
 * their shadows again only once in a while, for events that were lost. One instance's memory; forgetting costs a read.
 */

export const lookAgainMs = 5 * 60_000;
const fleetsMax = 1_000;

export class Quiet {
  readonly #since = new Map<string, number>();

  /** A read that began at `startedAt` (ms) led to these many steps, explanations of what waits among them. */
  found(fleet: string, startedAt: number, steps: number): void {
    this.#since.delete(fleet);
    if (steps > 0) return;
    this.#since.set(fleet, startedAt);
    const [oldest] = this.#since.keys();
    if (this.#since.size > fleetsMax && oldest !== undefined) this.#since.delete(oldest);
  }

  /** Whether a sweep at `now` (ms) may pass the fleet over. A look after `now` was before a clock was set back. */
  is(fleet: string, now: number): boolean {
    const since = this.#since.get(fleet);
    // Sweeps are a minute apart, roughly: the one that is due is not put off by another minute.
    return since !== undefined && since <= now && now - since < lookAgainMs - 5_000;
  }
}
