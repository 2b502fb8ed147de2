/** One event of the health function, whatever cloud it runs on. */

import { conditionFailed, type DynamoDb } from '../aws/dynamodb.ts';
import { log } from '../aws/log.ts';
import { parseEvent } from './events.ts';
import { healthUpdates, presenceUpdates, type TableUpdate } from './updates.ts';

/** @throws where the table can't be reached: the cloud invokes again. */
export async function handleHealth(
  dynamodb: DynamoDb,
  fleetTable: string,
  event: unknown,
  now: () => number,
): Promise<void> {
  /** Tries one after the other until a condition holds. None: what came is older than what is known. */
  async function writeFirst(updates: readonly TableUpdate[]): Promise<void> {
    for (const update of updates) {
      try {
        await dynamodb.updateItem({ TableName: fleetTable, ...update });
        return;
      } catch (error) {
        if (!conditionFailed(error)) throw error;
      }
    }
  }

  const news = parseEvent(event);
  switch (news.kind) {
    case 'health':
      return await writeFirst(healthUpdates(news.fleet, news.thing, news.receivedAt, news.message, now()));
    case 'presence':
      return await writeFirst(presenceUpdates(news.fleet, news.thing, news.connected, news.at, now()));
    case 'fault':
      // Invoking again would not mend it.
      log('error', 'A message is left out', { fault: news.fault });
      return;
    case 'none':
      return;
  }
}
