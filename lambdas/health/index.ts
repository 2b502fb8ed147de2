/** The health function: keeps the fleet table at what pilots and the broker say. */

import { ConditionalCheckFailedException, DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { clientSettings, tableNames } from '../aws/environment.ts';
import { log } from '../aws/log.ts';
import { parseEvent } from './events.ts';
import { healthUpdates, presenceUpdates, type TableUpdate } from './updates.ts';

const { fleetTable } = tableNames();
const dynamodb = new DynamoDBClient(clientSettings);

/** @throws where the table can't be reached: the cloud invokes again. */
export async function handler(event: unknown): Promise<void> {
  const news = parseEvent(event);
  switch (news.kind) {
    case 'health':
      await writeFirst(healthUpdates(news.fleet, news.thing, news.receivedAt, news.message));
      return;
    case 'presence':
      await writeFirst(presenceUpdates(news.fleet, news.thing, news.connected, news.at));
      return;
    case 'fault':
      // Invoking again would not mend it.
      log('error', 'A message is left out', { fault: news.fault });
      return;
    case 'none':
      return;
  }
}

/** Tries one after the other until a condition holds. None: what came is older than what is known. */
async function writeFirst(updates: readonly TableUpdate[]): Promise<void> {
  for (const update of updates) {
    try {
      await dynamodb.send(new UpdateItemCommand({ TableName: fleetTable, ...update }));
      return;
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
    }
  }
}
