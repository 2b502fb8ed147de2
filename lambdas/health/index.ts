/** The health function: keeps the fleet table at what pilots and the broker say. */

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { clientSettings, fleetTableOfEnvironment } from '../aws/environment.ts';
import { handleHealth } from './handle.ts';

const fleetTable = fleetTableOfEnvironment();
const dynamodb = new DynamoDBClient(clientSettings);

export async function handler(event: unknown): Promise<void> {
  await handleHealth(dynamodb, fleetTable, event);
}
