/** What the rest stands on: the queue of dead letters (which also tells the account), the topic of alerts, the tables. */

import {
  CreateTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  UpdateTableCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { CreateTopicCommand, GetTopicAttributesCommand } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { fleetTableName, fleetTablePartitionKey, fleetTableSortKey } from '../../protocol/fleet-table.ts';
import { resourcePrefix } from '../../protocol/manifest.ts';
import { signTableName, signTablePartitionKey } from '../../protocol/sign-record.ts';
import { ActionError } from '../actions/errors.ts';
import type { Change } from './deployment.ts';
import { type Account, arnIn, created, type DeployContext, unlessMissing, updated } from './place.ts';

export const deadLetterQueueName = `${resourcePrefix}dead-letters`;
export const alertTopicName = `${resourcePrefix}alerts`;
/** SQS's longest. */
const retentionSeconds = '1209600';
const tableSecondsMax = 120;
/** What a dry run puts into ARNs before anything is deployed. */
async function assumedAccount(sqs: SQSClient): Promise<Account> {
  const region = await sqs.config.region();
  const partition = region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
  return { partition, region, account: '000000000000' };
}

/** Its ARN tells partition, region and account of everything else. */
export async function ensureDeadLetters(
  sqs: SQSClient,
  dryRun: boolean,
): Promise<{ change: Change; account: Account; arn: string }> {
  const QueueName = deadLetterQueueName;
  const found = await unlessMissing(
    sqs.send(new GetQueueUrlCommand({ QueueName })),
    'QueueDoesNotExist',
    'AWS.SimpleQueueService.NonExistentQueue',
  );
  const change = found ? updated('queue', QueueName, []) : created('queue', QueueName);
  if (!found && dryRun) {
    const account = await assumedAccount(sqs);
    return { change, account, arn: arnIn(account, 'sqs', QueueName) };
  }
  const Attributes = { MessageRetentionPeriod: retentionSeconds };
  const { QueueUrl } = found ?? (await sqs.send(new CreateQueueCommand({ QueueName, Attributes })));
  const { Attributes: shown } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
  );
  const arn = shown?.QueueArn ?? '';
  const [, partition, , region, account] = arn.split(':');
  if (!partition || !region || !account)
    throw new ActionError(`The queue ${QueueName} has no usable ARN: '${arn}'`);
  return { change, account: { partition, region, account }, arn };
}

export async function ensureTopic({ sns, account, dryRun }: DeployContext): Promise<Change> {
  const TopicArn = arnIn(account, 'sns', alertTopicName);
  const found = await unlessMissing(
    sns.send(new GetTopicAttributesCommand({ TopicArn })),
    'NotFoundException',
  );
  if (found) return updated('topic', alertTopicName, []);
  if (!dryRun) await sns.send(new CreateTopicCommand({ Name: alertTopicName }));
  return created('topic', alertTopicName);
}

interface Table {
  name: string;
  keys: string[];
  isProtected: boolean;
}

/** The sign table is protected against deletion, and has neither replicas nor a time to live. */
const tables: Table[] = [
  { name: fleetTableName, keys: [fleetTablePartitionKey, fleetTableSortKey], isProtected: false },
  { name: signTableName, keys: [signTablePartitionKey], isProtected: true },
];

export async function ensureTables(context: DeployContext): Promise<Change[]> {
  const changes: Change[] = [];
  for (const table of tables) changes.push(await ensureTable(context.dynamodb, table, context.dryRun));
  return changes;
}

async function ensureTable(
  dynamodb: DynamoDBClient,
  { name, keys, isProtected }: Table,
  dryRun: boolean,
): Promise<Change> {
  const TableName = name;
  const found = await unlessMissing(
    dynamodb.send(new DescribeTableCommand({ TableName })),
    'ResourceNotFoundException',
  );
  if (!found?.Table) {
    if (!dryRun) await createTable(dynamodb, name, keys, isProtected);
    return created('table', name);
  }
  const { KeySchema = [], DeletionProtectionEnabled, Replicas = [] } = found.Table;
  const names = KeySchema.map(({ AttributeName }) => AttributeName);
  if (names.join() !== keys.join()) {
    throw new ActionError(
      `The table ${name} is there with the keys ${names.join(', ')}, not ${keys.join(', ')}: it is not Beam's. Deploy to another region or account`,
    );
  }
  if (isProtected && Replicas.length > 0) {
    throw new ActionError(
      `The table ${name} has replicas. Two regions could each let a server sign: remove the replicas first`,
    );
  }
  // A service that does not know of protection (the local cloud) does not name it.
  if (!isProtected || DeletionProtectionEnabled !== false) return updated('table', name, []);
  if (!dryRun) await dynamodb.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: true }));
  return updated('table', name, ['DeletionProtectionEnabled']);
}

async function createTable(
  dynamodb: DynamoDBClient,
  TableName: string,
  keys: readonly string[],
  isProtected: boolean,
): Promise<void> {
  await dynamodb.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
      KeySchema: keys.map((AttributeName, index) => ({
        AttributeName,
        KeyType: index === 0 ? ('HASH' as const) : ('RANGE' as const),
      })),
      ...(isProtected && { DeletionProtectionEnabled: true }),
    }),
  );
  await waitUntilTableExists({ client: dynamodb, maxWaitTime: tableSecondsMax }, { TableName });
}
