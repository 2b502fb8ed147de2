/** The first validator of a fleet that never had an active one is made active, as an operator would do it. */

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import { signRecordKey } from '../protocol/sign-record.ts';
import { clientSettings, readSignRecord } from './cloud-clients.ts';
import { editRole } from './edit-role.ts';
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
  const settings = clientSettings(fleet.ready);
  const dynamo = new DynamoDBClient(settings);
  const shadows = new IoTDataPlaneClient(settings);
  try {
    let address: string | undefined;
    const epoch = async () => {
      address ??= (await first.signer())?.address;
      if (address === undefined) return undefined;
      return (await readSignRecord(dynamo, signRecordKey(fleet.file.chain.chainId, address)))?.epoch;
    };
    if (((await epoch()) ?? 0) > 0) return false;
    let editedAtMs = Number.NEGATIVE_INFINITY;
    const claimed = await waitUntil(
      async () => {
        if (((await epoch()) ?? 0) > 0) return true;
        const { gaiad } = watch.view.nodes[first.name]?.health ?? {};
        const fit = gaiad?.state === 'running' && !gaiad.catchingUp && (gaiad.height ?? 0) > 0;
        if (!fit || performance.now() - editedAtMs < editEveryMs) return false;
        editedAtMs = performance.now();
        await editRole(shadows, first.thing, 'active');
        return false;
      },
      { everyMs: checkEveryMs, timeoutMs, signal },
    );
    if (!claimed) throw new Error(`${first.name} did not become active; see ${first.log('pilot')}`);
    return true;
  } finally {
    dynamo.destroy();
    shadows.destroy();
  }
}
