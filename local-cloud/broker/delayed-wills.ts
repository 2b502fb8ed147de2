/** Wills with a delay (MQTT 5): sent when it is over, unless the client is back in its session by then. */

import type { DelayedWills } from './broker-parts.ts';

/** setTimeout's longest. */
const delayMsMax = 2 ** 31 - 1;

/** Ends with the process: what still waits then is not sent. */
export function createDelayedWills(): DelayedWills {
  const waiting = new Map<string, { timer: NodeJS.Timeout; publish: () => void }>();
  const take = (clientId: string) => {
    const will = waiting.get(clientId);
    waiting.delete(clientId);
    clearTimeout(will?.timer);
    return will;
  };
  return {
    add(clientId, delaySeconds, publish) {
      take(clientId)?.publish();
      const timer = setTimeout(() => take(clientId)?.publish(), Math.min(delaySeconds * 1000, delayMsMax));
      timer.unref();
      waiting.set(clientId, { timer, publish });
    },
    cancel: (clientId) => void take(clientId),
    hurry: (clientId) => take(clientId)?.publish(),
  };
}
