/** The health function: keeps the fleet table at what pilots and the broker say. */

import { dynamoOfEnvironment } from '../aws/dynamodb.ts';
import { fleetTableOfEnvironment } from '../aws/environment.ts';
import { handleHealth } from './handle.ts';

const fleetTable = fleetTableOfEnvironment();
const dynamodb = dynamoOfEnvironment();

export async function handler(event: unknown): Promise<void> {
  await handleHealth(dynamodb, fleetTable, event, Date.now);
}
