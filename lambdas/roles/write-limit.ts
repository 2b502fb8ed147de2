/** Bounds how often one instance writes a thing's shadow, whoever may be writing against it. */

import { msSince } from '../aws/ms-since.ts';

const writesMax = 30;
const windowMs = 60_000;
const thingsMax = 1_000;

export class WriteLimit {
  readonly #now: () => number;
  readonly #windows = new Map<string, { from: number; writes: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  admits(thing: string): boolean {
    const now = this.#now();
    const window = this.#windows.get(thing);
    if (!window || msSince(window.from, now) >= windowMs) {
      if (this.#windows.size >= thingsMax) this.#windows.clear();
      this.#windows.set(thing, { from: now, writes: 1 });
      return true;
    }
    window.writes++;
    return window.writes <= writesMax;
  }
}
