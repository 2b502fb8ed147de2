/** The roles function: role requests, operators' edits and the minute's sweep all come to this one decider. */

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import { Announcer } from '../aws/announce.ts';
import { Covered } from '../aws/covered.ts';
import { clientSettings, tableNames } from '../aws/environment.ts';
import { FleetTable } from '../aws/fleet-table.ts';
import { log } from '../aws/log.ts';
import { Shadows } from '../aws/shadows.ts';
import { SignTable } from '../aws/sign-table.ts';
import { parseEvent } from './events.ts';
import type { Effects } from './execute.ts';
import { settle } from './settle.ts';
import { WriteLimit } from './write-limit.ts';

const covered = new Covered();
const { fleetTable, signTable } = tableNames();
const dynamodb = new DynamoDBClient(clientSettings);
const iotData = new IoTDataPlaneClient(clientSettings);
const effects: Effects = {
  fleetTable: new FleetTable(dynamodb, fleetTable),
  signTable: new SignTable(dynamodb, signTable),
  shadows: new Shadows(iotData),
  announcer: new Announcer(iotData, Date.now),
  limit: new WriteLimit(Date.now),
};

/** @throws where a store can't be reached: the cloud invokes again, and the sweep does so anyway. */
export async function handler(event: unknown): Promise<void> {
  const invocation = parseEvent(event);
  if ('fault' in invocation) {
    // Invoking again would not mend it.
    log('error', 'An event that is not one of ours is left out', { fault: invocation.fault });
    return;
  }
  const { fleet, trigger } = invocation;
  // What Commander wrote was decided already.
  if (trigger.kind === 'documents' && trigger.own) return;
  if (fleet !== undefined) {
    const { kind, receivedAt } = trigger;
    const wish = kind === 'request' || trigger.touched || trigger.before?.written !== trigger.after?.written;
    if (!wish && covered.covers(fleet, receivedAt)) return;
    const startedAt = Date.now();
    await settle(effects, fleet, trigger);
    // A request reads no sentries.
    if (kind === 'documents') covered.done(fleet, startedAt);
    return;
  }
  const failures: unknown[] = [];
  for (const name of await effects.fleetTable.fleets()) {
    try {
      await settle(effects, name, trigger);
    } catch (error) {
      log('error', `The sweep of fleet ${name} failed`, { error: String(error) });
      failures.push(error);
    }
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `The sweep failed for ${failures.length} fleets`);
}
