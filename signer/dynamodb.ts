/** DynamoDB as a sign table. The AWS SDK is loaded with the first call: a signer answers its node before that. */

import type { DynamoOptions, DynamoTable } from './dynamodb-sdk.ts';

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
