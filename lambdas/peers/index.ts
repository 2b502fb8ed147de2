/** The peers function: derives each node's peers from what the fleet's nodes report, and rolls them out. */

import { IoTClient } from '@aws-sdk/client-iot';
import { IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import * as z from 'zod';
import { Covered } from '../aws/covered.ts';
import { dynamoOfEnvironment } from '../aws/dynamodb.ts';
import { clientSettings, fleetTableOfEnvironment, signTableOfEnvironment } from '../aws/environment.ts';
import { FleetTable } from '../aws/fleet-table.ts';
import { log } from '../aws/log.ts';
import { Shadows } from '../aws/shadows.ts';
import { SignTable } from '../aws/sign-table.ts';
import { type PeersStep, planPeers } from './core/plan.ts';
import { parseEvent } from './events.ts';
import { Quiet } from './quiet.ts';
import { readFleet, type Stores } from './read-fleet.ts';

const roundsMax = 5;

const covered = new Covered();
const quiet = new Quiet();
const standbyWish = z.object({ role: z.literal('standby') });
const dynamodb = dynamoOfEnvironment();
const stores: Stores = {
  iot: new IoTClient(clientSettings),
  fleetTable: new FleetTable(dynamodb, fleetTableOfEnvironment()),
  signTable: new SignTable(dynamodb, signTableOfEnvironment()),
  shadows: new Shadows(new IoTDataPlaneClient(clientSettings)),
};

/** @throws where a store can't be reached: the cloud invokes again, and the sweep does so anyway. */
export async function handler(event: unknown): Promise<void> {
  const invocation = parseEvent(event);
  switch (invocation.kind) {
    case 'none':
      return;
    case 'fault':
      log('error', 'An event that is not one of ours is left out', { fault: invocation.fault });
      return;
    case 'fleet':
      if (covered.covers(invocation.fleet, invocation.receivedAt, Date.now())) return;
      return settle(invocation.fleet, false);
    case 'sweep': {
      const failures: unknown[] = [];
      for (const fleet of await stores.fleetTable.fleets()) {
        if (quiet.is(fleet, Date.now())) continue;
        try {
          await settle(fleet, true);
        } catch (error) {
          log('error', `The sweep of fleet ${fleet} failed`, { error: String(error) });
          failures.push(error);
        }
      }
      if (failures.length > 0)
        throw new AggregateError(failures, `The sweep failed for ${failures.length} fleets`);
    }
  }
}

async function settle(fleet: string, sweep: boolean): Promise<void> {
  for (let round = 1; round <= roundsMax; round++) {
    const now = Date.now();
    const steps = planPeers(await readFleet(stores, fleet, now), sweep, now);
    quiet.found(fleet, now, steps.length);
    const outcomes = await Promise.all(steps.map((step) => execute(fleet, step)));
    if (outcomes.every((written) => written)) {
      covered.done(fleet, now);
      return;
    }
  }
  throw new Error(`The gaiad shadows of fleet ${fleet} changed under ${roundsMax} plans in a row`);
}

/** @returns false where another writer was first. */
async function execute(fleet: string, step: PeersStep): Promise<boolean> {
  switch (step.step) {
    case 'explain':
      log('info', step.text, { fleet });
      return true;
    case 'writePeers': {
      const { thing, version, part } = step;
      const desired = { config: { 'config.toml': { p2p: part } } };
      const written = await stores.shadows.write(thing, 'gaiad', desired, version);
      log('info', `Peers of ${thing} ${written ? 'written' : 'not written: its shadow changed meanwhile'}`, {
        ...part,
      });
      return written;
    }
    case 'requestSwitch': {
      const { to } = step;
      const role = await stores.shadows.get(to, 'role');
      const desired = standbyWish.safeParse(role?.desired);
      if (!role || !desired.success) return true;
      log('info', `A switch to ${to} is asked for, so that the active one's new peers can be rolled out`, {
        fleet,
      });
      return stores.shadows.write(to, 'role', { role: 'active' }, role.version, 'request');
    }
  }
}
