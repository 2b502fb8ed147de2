/** The first validator of a fleet that never had an active one is made active, as an operator would do it. */

import { readSignRecord } from '../operator/actions/read-fleet.ts';
import { writeShadow } from '../operator/actions/shadow-document.ts';
import type { LocalFleet } from './fleet.ts';
import type { FleetWatch } from './screen/watch.ts';
import { waitUntil } from './wait-until.ts';

const checkEveryMs = 100;
/** An edit that was put back, because the server was not fit yet, is made again. */
const editEveryMs = 3_000;

/**
 * Waits until the first validator's node commits blocks, edits its role shadow, and waits for the claim.
 * @returns whether there was anything to do
 */
export async function activateFirst(
  fleet: LocalFleet,
  watch: FleetWatch,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const first = fleet.servers.find(({ isValidator }) => isValidator);
  if (!first) return false;
  const claimed = async () => ((await readSignRecord(fleet.cloud, fleet.recordKey))?.epoch ?? 0) > 0;
  if (await claimed()) return false;
  let editedAtMs = Number.NEGATIVE_INFINITY;
  const done = await waitUntil(
    async () => {
      if (await claimed()) return true;
      const { gaiad } = watch.view.nodes[first.name]?.health ?? {};
      const fit = gaiad?.state === 'running' && !gaiad.catchingUp && (gaiad.height ?? 0) > 0;
      if (!fit || performance.now() - editedAtMs < editEveryMs) return false;
      editedAtMs = performance.now();
      await writeShadow(fleet.cloud, first.thing, 'role', { state: { desired: { role: 'active' } } });
      return false;
    },
    { everyMs: checkEveryMs, timeoutMs, signal },
  );
  if (!done) throw new Error(`${first.name} did not become active; see ${first.log('pilot')}`);
  return true;
}
