import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  everyMs: number;
  timeoutMs: number;
  signal: AbortSignal;
}

/**
 * @returns whether `condition` held before time was up.
 * @throws the signal's reason
 */
export async function waitUntil(
  condition: () => Promise<boolean> | boolean,
  { everyMs, timeoutMs, signal }: WaitOptions,
): Promise<boolean> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() >= until) return false;
    await delay(everyMs, undefined, { signal });
  }
}
