/** A table whose writes to one item are timed. */

import type { Clock, RecordStore } from '../core/ports.ts';

/** @param onWrite ms of each write of `key`, whatever became of it */
export function timedStore(
  store: RecordStore,
  key: string,
  clock: Clock,
  onWrite: (ms: number) => void,
): RecordStore {
  return {
    read: (asked, timeoutMs) => store.read(asked, timeoutMs),
    async update(update, timeoutMs) {
      const beganMs = clock.now();
      const outcome = await store.update(update, timeoutMs);
      if (update.key === key) onWrite(clock.now() - beganMs);
      return outcome;
    },
  };
}
