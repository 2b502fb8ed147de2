/** The AWS SDK's two calls. Imported late, and by name, so that a bundle holds no other. */

import { DynamoDBClient, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { signTablePartitionKey } from '../protocol/sign-record.ts';
import { type AwsClientOptions, awsClientConfig } from './aws-client.ts';
import type { SignTable } from './record-client.ts';

export interface DynamoOptions extends AwsClientOptions {
  table: string;
}

export interface DynamoTable extends SignTable {
  /** Loads the SDK ahead of the first call. */
  load(): Promise<void>;
  close(): void;
}

export function sdkTable({ table, ...options }: DynamoOptions): DynamoTable {
  const client = new DynamoDBClient(awsClientConfig(options));
  return {
    async load() {},
    async getItem(key, abortSignal) {
      const command = new GetItemCommand({
        TableName: table,
        Key: { [signTablePartitionKey]: { S: key } },
        ConsistentRead: true,
      });
      return (await client.send(command, { abortSignal })).Item;
    },
    async updateItem(input, abortSignal) {
      const { Attributes } = await client.send(new UpdateItemCommand(input), { abortSignal });
      return Attributes ?? {};
    },
    close: () => client.destroy(),
  };
}
