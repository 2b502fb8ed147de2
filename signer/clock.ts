/** The machine's own clock and chance. */

import { openSync, readSync } from 'node:fs';
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

/**
 * Chance of the kernel's, asked for each time. node:crypto's comes out of a generator that lives in this process for minutes (OpenSSL's DRBG, which
 * is seeded anew now and then): of two clones of a running machine both would draw the same from it, and by what they draw they are told apart.
 * The kernel is told of a clone (Linux: VM generation id), and mixes in what the processor has.
 * @param device read to its end by nobody
 */
export function kernelRandom(device = '/dev/urandom'): Random {
  let fd: number | undefined;
  return {
    hex(bytes) {
      fd ??= openSync(device, 'r');
      const drawn = Buffer.alloc(bytes);
      const got = readSync(fd, drawn, 0, bytes, null);
      if (got < bytes) throw new Error(`${device} gave ${got} of ${bytes} bytes of chance`);
      return drawn.toString('hex');
    },
  };
}

export const systemRandom = kernelRandom();
