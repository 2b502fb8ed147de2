/** DynamoDB through the AWS SDK, which is loaded with the first call: a signer answers its node before that. */

import { readFileSync, statSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { AttributeValue, DynamoDBClient, UpdateItemCommandInput } from '@aws-sdk/client-dynamodb';
import { signTablePartitionKey } from '../protocol/sign-record.ts';
import type { SignTable } from './record-client.ts';

export interface DynamoOptions {
  table: string;
  region: string;
  /** Left out: AWS's own endpoint. */
  endpoint?: string | undefined;
  /** PEM file of the endpoint's CA; left out: the system's. */
  ca?: string | undefined;
  /** A shared credentials file, read again whenever it changes; left out: the SDK's default chain. */
  credentials?: string | undefined;
}

/** Beat, record and one request at a time, with room for those that were given up. */
const socketsMax = 16;
/** A connection that takes longer is none; the call's own time is `RecordClient`'s. */
const connectMsMax = 800;

/** A SignTable, and what else a person's command (enrolment) does to the table. */
export interface DynamoTable extends SignTable {
  /** Loads the SDK. */
  ready(): Promise<void>;
  close(): void;
}

export function dynamoTable(options: DynamoOptions): DynamoTable {
  type Sdk = typeof import('@aws-sdk/client-dynamodb');
  let loading: Promise<{ sdk: Sdk; client: DynamoDBClient }> | undefined;
  const load = () => {
    loading ??= open(options);
    return loading;
  };
  return {
    async ready() {
      await load();
    },
    async getItem(key, abortSignal) {
      const { sdk, client } = await load();
      const { Item } = await client.send(
        new sdk.GetItemCommand({
          TableName: options.table,
          Key: { [signTablePartitionKey]: { S: key } },
          ConsistentRead: true,
        }),
        { abortSignal },
      );
      return Item;
    },
    async updateItem(input, abortSignal) {
      const { sdk, client } = await load();
      const command = new sdk.UpdateItemCommand(input satisfies UpdateItemCommandInput);
      const { Attributes } = await client.send(command, { abortSignal });
      return (Attributes ?? {}) satisfies Record<string, AttributeValue>;
    },
    close() {
      void loading?.then(({ client }) => client.destroy());
    },
  };
}

async function open({ region, endpoint, ca, credentials }: DynamoOptions) {
  const [sdk, { NodeHttpHandler }] = await Promise.all([
    import('@aws-sdk/client-dynamodb'),
    import('@smithy/node-http-handler'),
  ]);
  const client = new sdk.DynamoDBClient({
    region,
    maxAttempts: 1,
    ...(endpoint ? { endpoint } : {}),
    ...(credentials ? { credentials: sharedCredentials(credentials) } : {}),
    requestHandler: new NodeHttpHandler({
      connectionTimeout: connectMsMax,
      httpAgent: new HttpAgent({ keepAlive: true, maxSockets: socketsMax }),
      httpsAgent: new HttpsAgent({
        keepAlive: true,
        maxSockets: socketsMax,
        ...(ca ? { ca: readFileSync(ca) } : {}),
      }),
    }),
  });
  return { sdk, client };
}

/** The SDK reads a credentials file once; Beam's are short-lived and renewed in place. */
const lookAgainMs = 30_000;

/** @returns the `default` profile of an AWS shared credentials file */
export function sharedCredentials(path: string) {
  let read: { mtimeMs: number; keys: Record<string, string> } | undefined;
  return async () => {
    const { mtimeMs } = statSync(path);
    if (read?.mtimeMs !== mtimeMs)
      read = { mtimeMs, keys: parseProfile(readFileSync(path, 'utf8'), 'default') };
    const { aws_access_key_id, aws_secret_access_key, aws_session_token } = read.keys;
    if (!aws_access_key_id || !aws_secret_access_key) {
      throw new Error(`${path} has no aws_access_key_id and aws_secret_access_key in [default]`);
    }
    return {
      accessKeyId: aws_access_key_id,
      secretAccessKey: aws_secret_access_key,
      ...(aws_session_token ? { sessionToken: aws_session_token } : {}),
      expiration: new Date(Date.now() + lookAgainMs),
    };
  };
}

function parseProfile(text: string, profile: string): Record<string, string> {
  const keys: Record<string, string> = {};
  let within = false;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*(.+?)\s*\]/.exec(line);
    if (section) within = section[1] === profile;
    const pair = /^\s*([a-z_]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (within && pair?.[1]) keys[pair[1]] = pair[2] ?? '';
  }
  return keys;
}
