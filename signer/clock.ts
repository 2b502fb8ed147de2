/** The machine's own clock and chance. */

import { randomFillSync } from 'node:crypto';
import type { Clock, Random } from './core/ports.ts';

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal?.addEventListener('abort', end);
    }),
};

/** Asking the kernel's chance for a few bytes takes some 30 µs on a process that was asleep, for many no longer. */
const pool = Buffer.alloc(4096);
let poolUsed = pool.length;

export const systemRandom: Random = {
  hex: (bytes) => {
    if (bytes > pool.length) return randomFillSync(Buffer.alloc(bytes)).toString('hex');
    if (poolUsed + bytes > pool.length) {
      randomFillSync(pool);
      poolUsed = 0;
    }
    const from = poolUsed;
    poolUsed += bytes;
    const text = pool.toString('hex', from, poolUsed);
    pool.fill(0, from, poolUsed);
    return text;
  },
};
