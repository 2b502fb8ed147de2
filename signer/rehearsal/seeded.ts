/** Chance and time for tests: the same seed gives the same run. */

import type { Clock, Random } from '../core/ports.ts';
import type { Wakeable } from '../core/within.ts';

/** mulberry32: small, and good enough to find interleavings. */
export class SeededChance implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  happens(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(of: readonly T[]): T {
    const picked = of[this.below(of.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  hex(bytes: number): string {
    return Array.from({ length: bytes }, () => this.below(256).toString(16).padStart(2, '0')).join('');
  }
}

/** Time stands still until `run` moves it from one timer to the next. */
export class SteppedClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Map<() => void, number>();

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  sleep(ms: number, signal?: Wakeable): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        this.#timers.delete(end);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      this.#timers.set(end, this.#nowMs + Math.max(0, ms));
      signal?.addEventListener('abort', end);
    });
  }

  /** Moves time on by `ms`, each timer in its turn, and lets all that follows from it happen. */
  async run(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      let first: (() => void) | undefined;
      let firstMs = Number.POSITIVE_INFINITY;
      for (const [end, atMs] of this.#timers) {
        if (atMs < firstMs) [first, firstMs] = [end, atMs];
      }
      if (!first || firstMs > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, firstMs);
      first();
    }
    this.#nowMs = untilMs;
  }
}
