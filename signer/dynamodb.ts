/** DynamoDB as a sign table: the two calls of a signer. Nothing is ever repeated: what a failed call means is its caller's to judge. */

import { type Credentials, dynamoCalls } from '../dynamodb/calls.ts';
import { signTablePartitionKey } from '../protocol/sign-record.ts';
import { type AwsClientOptions, agentOptions, configuredCredentials, connectMsMax } from './aws-client.ts';
import type { SignTable } from './record-client.ts';

export interface DynamoOptions extends AwsClientOptions {
  table: string;
}

export interface DynamoTable extends SignTable {
  close(): void;
}

/** An item has 400 KB at most, the record's and the beat's far less. */
const answerBytesMax = 1024 * 1024;

export function dynamoTable({ table, ...options }: DynamoOptions): DynamoTable {
  const { region, endpoint } = options;
  const calls = dynamoCalls({
    region,
    endpoint,
    agentOptions: () => agentOptions(options),
    credentials: configuredCredentials(options) ?? defaultCredentials(),
    connectMsMax,
    answerBytesMax,
  });
  const call = (operation: string, input: object, signal: AbortSignal) =>
    calls.call(operation, input, signal) as Promise<Answer>;

  return {
    async getItem(key, signal) {
      const input = {
        TableName: table,
        Key: { [signTablePartitionKey]: { S: key } },
        ConsistentRead: true,
      };
      return (await call('GetItem', input, signal)).Item;
    },
    updateItem: async (input, signal) => (await call('UpdateItem', input, signal)).Attributes ?? {},
    close: () => calls.close(),
  };
}

interface Answer {
  Item?: Record<string, unknown>;
  Attributes?: Record<string, unknown>;
}

/** Where the SDK's clients look: environment, profile, container, instance. Loaded only by those who need it. */
function defaultCredentials(): () => Promise<Credentials> {
  let found: Promise<() => Promise<Credentials>> | undefined;
  return async () => {
    found ??= import('@aws-sdk/credential-provider-node').then(({ defaultProvider }) => defaultProvider());
    return (await found)();
  };
}
