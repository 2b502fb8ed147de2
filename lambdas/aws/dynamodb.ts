/** DynamoDB as Commander uses it: five calls, each tried again where that may help. */

import { type DynamoCalls, DynamoError, dynamoCalls } from '../../dynamodb/calls.ts';
import type { JsonAttribute } from '../../protocol/dynamodb-json.ts';
import { callBounds } from './environment.ts';
import { defaultProvider } from './function-credentials.ts';

/** As it came: a schema has yet to read it. */
export type StoredItem = Record<string, unknown>;
type Attributes = Record<string, JsonAttribute>;

interface Names {
  ExpressionAttributeNames: Record<string, string>;
}
interface Values extends Names {
  ExpressionAttributeValues: Attributes;
}
interface Page {
  TableName: string;
  ExclusiveStartKey?: StoredItem;
}
export interface ItemsPage {
  Items?: StoredItem[];
  LastEvaluatedKey?: StoredItem;
}

/** Inputs and answers are the API's. Everything that Commander sends; the simulator stands in for it here. */
export interface DynamoDb {
  getItem(input: {
    TableName: string;
    Key: Attributes;
    ConsistentRead: true;
  }): Promise<{ Item?: StoredItem }>;
  query(
    input: Page & Values & { ConsistentRead: boolean; KeyConditionExpression: string },
  ): Promise<ItemsPage>;
  scan(input: Page & Names & { ProjectionExpression: string }): Promise<ItemsPage>;
  putItem(input: { TableName: string; Item: Attributes }): Promise<void>;
  /** @throws an error for which `conditionFailed` is true, where the condition does not hold */
  updateItem(
    input: Values & {
      TableName: string;
      Key: Attributes;
      UpdateExpression: string;
      ConditionExpression: string;
    },
  ): Promise<void>;
}

export function conditionFailed(error: unknown): boolean {
  return error instanceof Error && error.name === 'ConditionalCheckFailedException';
}

/** A page of a Query or Scan has 1 MB of items, which JSON makes longer. */
const answerBytesMax = 8 * 1024 * 1024;
const waitMsFirst = 50;
/** Of one function's invocation, far more than any makes at once. */
const callsMax = 256;

/** What a failed call with the same input may do better at next time. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof DynamoError)) return true;
  return (
    error.status >= 500 ||
    /^(Throttling|ThrottlingException|RequestLimitExceeded|ProvisionedThroughputExceededException|TransactionInProgressException)$/.test(
      error.name,
    ) ||
    // Signed by a clock that is off, or by one that was: the next try is signed by DynamoDB's.
    /^(InvalidSignatureException|RequestTimeTooSkewed|RequestExpired)$/.test(error.name)
  );
}

/** Region, endpoint and credentials by the variables that the SDK reads, too. */
export function dynamoOfEnvironment({ maxAttempts, connectMsMax, answerMsMax } = callBounds): DynamoDb {
  const { AWS_REGION, AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL } = process.env;
  return retrying(
    dynamoCalls({
      region: AWS_REGION || 'us-east-1',
      endpoint: AWS_ENDPOINT_URL_DYNAMODB || AWS_ENDPOINT_URL || undefined,
      callsMax,
      credentials: defaultProvider(),
      connectMsMax,
      answerBytesMax,
    }),
    { maxAttempts, answerMsMax },
  );
}

export function retrying(
  calls: DynamoCalls,
  { maxAttempts, answerMsMax }: { maxAttempts: number; answerMsMax: number },
): DynamoDb {
  async function call<T>(operation: string, input: object): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await calls.call(operation, input, AbortSignal.timeout(answerMsMax))) as T;
      } catch (error) {
        if (attempt >= maxAttempts || !mayPass(error)) throw error;
        const waitMs = Math.random() * waitMsFirst * 2 ** attempt;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }
  return {
    getItem: (input) => call('GetItem', input),
    query: (input) => call('Query', input),
    scan: (input) => call('Scan', input),
    putItem: async (input) => void (await call('PutItem', input)),
    updateItem: async (input) => void (await call('UpdateItem', input)),
  };
}
