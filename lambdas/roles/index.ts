/** The roles function: role requests, operators' edits and the minute's sweep all come to this one decider. */

import { IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import { Announcer } from '../aws/announce.ts';
import { Covered } from '../aws/covered.ts';
import { dynamoOfEnvironment } from '../aws/dynamodb.ts';
import { clientSettings, fleetTableOfEnvironment, signTableOfEnvironment } from '../aws/environment.ts';
import { FleetTable } from '../aws/fleet-table.ts';
import { Shadows } from '../aws/shadows.ts';
import { SignTable } from '../aws/sign-table.ts';
import { handleRoles, type RolesInstance } from './handle.ts';
import { WriteLimit } from './write-limit.ts';

const dynamodb = dynamoOfEnvironment();
const iotData = new IoTDataPlaneClient(clientSettings);
const instance: RolesInstance = {
  effects: {
    fleetTable: new FleetTable(dynamodb, fleetTableOfEnvironment()),
    signTable: new SignTable(dynamodb, signTableOfEnvironment()),
    shadows: new Shadows(iotData),
    announcer: new Announcer(iotData, Date.now),
    limit: new WriteLimit(Date.now),
  },
  covered: new Covered(),
  now: Date.now,
};

export async function handler(event: unknown): Promise<void> {
  await handleRoles(instance, event);
}
