/** AWS's own clients, pointed at the local cloud. */

import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { type DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import {
  type SignRecord,
  signRecord,
  signTableName,
  signTablePartitionKey,
} from '../protocol/sign-record.ts';
import { fromItem } from '../protocol/sign-record-dynamodb.ts';
import type { ReadyLine } from './ready-line.ts';

const requestTimeoutMs = 5_000;

/** What every client of the AWS SDK takes. */
export function clientSettings(ready: ReadyLine) {
  return {
    endpoint: ready.https,
    region: ready.region,
    credentials: { accessKeyId: ready.accessKeyId, secretAccessKey: ready.secretAccessKey },
    requestHandler: new NodeHttpHandler({
      httpsAgent: new Agent({ ca: readFileSync(ready.ca), keepAlive: true }),
      requestTimeout: requestTimeoutMs,
    }),
  };
}

/** @returns undefined where nobody enrolled the key. */
export async function readSignRecord(client: DynamoDBClient, key: string): Promise<SignRecord | undefined> {
  const { Item } = await client.send(
    new GetItemCommand({
      TableName: signTableName,
      Key: { [signTablePartitionKey]: { S: key } },
      ConsistentRead: true,
    }),
  );
  return Item && signRecord.parse(fromItem(Item as Record<string, unknown>));
}
