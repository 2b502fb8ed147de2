/** The machine's own clock and chance. */

import { randomBytes } from 'node:crypto';
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

/** From the kernel each time. Of a pool in this process two clones of a running machine would draw the same, and by that they are told apart. */
export const systemRandom: Random = { hex: (bytes) => randomBytes(bytes).toString('hex') };
