/** DynamoDB as a sign table: the two calls of a signer. Nothing is ever repeated: what a failed call means is its caller's to judge. */

import { readFileSync } from 'node:fs';
import { dynamoCalls } from '../dynamodb/calls.ts';
import type { GivenUp } from '../dynamodb/connections.ts';
import type { Credentials } from '../dynamodb/signed-request.ts';
import { signTablePartitionKey } from '../protocol/sign-record.ts';
import { type AwsClientOptions, configuredCredentials, connectMsMax, socketsMax } from './aws-client.ts';
import type { SignTable } from './record-client.ts';

export interface DynamoOptions extends AwsClientOptions {
  table: string;
  /** Unix socket of a local cloud, in place of a connection to `endpoint`. */
  socket?: string | undefined;
}

export interface DynamoTable extends SignTable {
  close(): void;
}

/** An item has 400 KB at most, the record's and the beat's far less. */
const answerBytesMax = 1024 * 1024;

export function dynamoTable({ table, ...options }: DynamoOptions): DynamoTable {
  const { region, endpoint, ca, socket } = options;
  const calls = dynamoCalls({
    region,
    endpoint,
    socket,
    ca: ca ? () => readFileSync(ca) : undefined,
    callsMax: socketsMax,
    credentials: configuredCredentials(options) ?? defaultCredentials(),
    connectMsMax,
    answerBytesMax,
  });
  const call = (operation: string, input: object, givenUp: GivenUp) =>
    calls.call(operation, input, givenUp) as Promise<Answer>;

  return {
    async getItem(key, givenUp) {
      const input = {
        TableName: table,
        Key: { [signTablePartitionKey]: { S: key } },
        ConsistentRead: true,
      };
      return (await call('GetItem', input, givenUp)).Item;
    },
    updateItem: async (input, givenUp) => (await call('UpdateItem', input, givenUp)).Attributes ?? {},
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
