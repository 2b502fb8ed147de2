/** DynamoDB as a sign table. The AWS SDK is loaded with the first call: a signer answers its node before that. */

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

export interface DynamoTable extends SignTable {
  /** Loads the SDK ahead of the first call. */
  load(): Promise<void>;
  close(): void;
}

export function dynamoTable(options: DynamoOptions): DynamoTable {
  let loading: Promise<DynamoTable> | undefined;
  const open = () => {
    loading ??= import('./dynamodb-sdk.ts').then(({ sdkTable }) => sdkTable(options));
    return loading;
  };
  return {
    async load() {
      await open();
    },
    getItem: async (key, signal) => (await open()).getItem(key, signal),
    updateItem: async (input, signal) => (await open()).updateItem(input, signal),
    close() {
      void loading?.then((table) => table.close()).catch(() => {});
    },
  };
}
