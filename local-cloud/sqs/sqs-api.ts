/** SQS's API (JSON 1.0) for standard queues; FIFO queues are refused by name. */

import { createHash } from 'node:crypto';
import * as z from 'zod';
import { type Handler, operation } from '../https/operation.ts';
import { page } from '../https/page.ts';
import { jsonService, type SignedService } from '../https/signed-service.ts';
import { accountId } from '../registry/arns.ts';
import { AwsError, notImplemented } from '../registry/aws-error.ts';
import { type Queues, queueArn, type ReceivedMessage } from './queues.ts';
import type { MessageAttribute } from './records.ts';

const bytesMax = 2 * 1024 * 1024;
const batchMax = 10;
const pageSizeMax = 1000;

const seconds = (max: number) => z.number().int().min(0).max(max);
const attributeNumbers: Record<string, [min: number, max: number]> = {
  VisibilityTimeout: [0, 43_200],
  DelaySeconds: [0, 900],
  ReceiveMessageWaitTimeSeconds: [0, 20],
  MessageRetentionPeriod: [60, 1_209_600],
  MaximumMessageSize: [1024, 1_048_576],
};
/** Kept and shown; of no effect here. */
const attributesKept = new Set([
  'Policy',
  'SqsManagedSseEnabled',
  'KmsMasterKeyId',
  'KmsDataKeyReusePeriodSeconds',
]);
const defaults = {
  VisibilityTimeout: '30',
  DelaySeconds: '0',
  ReceiveMessageWaitTimeSeconds: '0',
  MessageRetentionPeriod: '345600',
  MaximumMessageSize: '1048576',
  SqsManagedSseEnabled: 'true',
};

const messageAttributes = z.record(
  z.string().regex(/^(?!AWS\.|Amazon\.)[A-Za-z0-9_.-]{1,256}$/i),
  z.strictObject({
    DataType: z.string().regex(/^(String|Number|Binary)(\.[^\s]+)?$/),
    StringValue: z.string().optional(),
    BinaryValue: z.string().optional(),
  }),
);
type Attributes = z.infer<typeof messageAttributes>;

const invalid = (message: string) => new AwsError(400, 'InvalidParameterValue', message);

function checkedAttributes(given: Record<string, string>): Record<string, string> {
  for (const [name, text] of Object.entries(given)) {
    const range = attributeNumbers[name];
    if (range) {
      const [min, max] = range;
      if (!/^\d+$/.test(text) || Number(text) < min || Number(text) > max)
        throw new AwsError(
          400,
          'InvalidAttributeValue',
          `Invalid value for the parameter ${name}: ${min} to ${max}.`,
        );
    } else if (name === 'RedrivePolicy') checkRedrive(text);
    else if (name === 'FifoQueue') throw notImplemented('FIFO queues');
    else if (!attributesKept.has(name))
      throw new AwsError(400, 'InvalidAttributeName', `Unknown Attribute ${name}.`);
  }
  return given;
}

function checkRedrive(text: string): void {
  const schema = z.object({
    deadLetterTargetArn: z.string().regex(/^arn:[a-z-]+:sqs:[^:]*:\d{12}:[A-Za-z0-9_-]{1,80}$/),
    maxReceiveCount: z.coerce.number().int().min(1).max(1000),
  });
  let policy: unknown;
  try {
    policy = JSON.parse(text);
  } catch {
    policy = undefined;
  }
  if (!schema.safeParse(policy).success)
    throw new AwsError(400, 'InvalidAttributeValue', 'Invalid value for the parameter RedrivePolicy.');
}

/** SQS's digest of attributes: of each the lengths and bytes of name, type and value, by name. */
export function attributesMd5(attributes: Record<string, MessageAttribute>): string | undefined {
  const names = Object.keys(attributes).sort();
  if (names.length === 0) return undefined;
  const hash = createHash('md5');
  const part = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  };
  for (const name of names) {
    const { DataType = '', StringValue, BinaryValue } = attributes[name] ?? {};
    part(Buffer.from(name));
    part(Buffer.from(DataType));
    hash.update(Buffer.of(BinaryValue === undefined ? 1 : 2));
    part(BinaryValue === undefined ? Buffer.from(StringValue ?? '') : Buffer.from(BinaryValue, 'base64'));
  }
  return hash.digest('hex');
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex');

function withoutUndefined(attributes: Attributes): Record<string, MessageAttribute> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { DataType, StringValue, BinaryValue }]) => [
      name,
      {
        DataType,
        ...(StringValue !== undefined && { StringValue }),
        ...(BinaryValue !== undefined && { BinaryValue }),
      },
    ]),
  );
}

/** The queue's name in its URL, whatever the host. */
export function queueNameOf(url: string): string {
  const name = /^https?:\/\/[^/]+\/\d{12}\/([^/?]+)$/.exec(url)?.[1];
  if (name === undefined)
    throw new AwsError(400, 'InvalidAddress', `The address ${url} is not valid for this endpoint.`);
  return name;
}

const queueName = z.string();
function checkName(name: string): void {
  if (name.endsWith('.fifo')) throw notImplemented('FIFO queues');
  if (!/^[A-Za-z0-9_-]{1,80}$/.test(name))
    throw invalid('Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length');
}

const QueueUrl = z.string();
/** XML's characters. */
const sendable = /^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u;
const sendMembers = {
  MessageBody: z.string(),
  DelaySeconds: seconds(900).optional(),
  MessageAttributes: messageAttributes.optional(),
};

/** @param address https://host:port, known once the cloud listens */
export function sqsService(queues: Queues, address: () => string): SignedService {
  const urlOf = (name: string) => `${address()}/${accountId}/${name}`;

  async function sent(
    name: string,
    input: {
      MessageBody: string;
      DelaySeconds?: number | undefined;
      MessageAttributes?: Attributes | undefined;
    },
  ) {
    if (!sendable.test(input.MessageBody)) {
      throw new AwsError(
        400,
        'InvalidMessageContents',
        'The message contains characters outside the allowed set.',
      );
    }
    const attributes = withoutUndefined(input.MessageAttributes ?? {});
    const MessageId = await queues.send(name, {
      body: input.MessageBody,
      attributes,
      ...(input.DelaySeconds !== undefined && { delaySeconds: input.DelaySeconds }),
    });
    return {
      MessageId,
      MD5OfMessageBody: md5(input.MessageBody),
      MD5OfMessageAttributes: attributesMd5(attributes),
    };
  }

  const operations: [string, Handler][] = [
    operation(
      'CreateQueue',
      {
        QueueName: queueName,
        Attributes: z.record(z.string(), z.string()).default({}),
        tags: z.record(z.string(), z.string()).default({}),
      },
      async ({ QueueName, Attributes, tags }) => {
        checkName(QueueName);
        const attributes = checkedAttributes(Attributes);
        const found = queues.find(QueueName);
        const different = Object.keys(attributes).some(
          (each) => found && attributes[each] !== { ...defaults, ...found.attributes }[each],
        );
        if (different) {
          throw new AwsError(
            400,
            'QueueNameExists',
            'A queue already exists with the same name and a different value for attribute',
          );
        }
        if (!found) await queues.create(QueueName, attributes, tags);
        return { QueueUrl: urlOf(QueueName) };
      },
    ),
    operation(
      'GetQueueUrl',
      { QueueName: queueName, QueueOwnerAWSAccountId: z.string().optional() },
      (input) => ({
        QueueUrl: urlOf(queues.get(input.QueueName).name),
      }),
    ),
    operation(
      'ListQueues',
      {
        QueueNamePrefix: z.string().default(''),
        MaxResults: z.number().int().min(1).max(pageSizeMax).optional(),
        NextToken: z.string().optional(),
      },
      ({ QueueNamePrefix, MaxResults, NextToken }) => {
        const names = queues.names().filter((name) => name.startsWith(QueueNamePrefix));
        const { items, next } = page('ListQueues', names, (name) => name, {
          token: NextToken,
          size: MaxResults,
          sizeMax: pageSizeMax,
        });
        return { QueueUrls: items.map(urlOf), NextToken: next };
      },
    ),
    operation('DeleteQueue', { QueueUrl }, async (input) => {
      await queues.remove(queueNameOf(input.QueueUrl));
      return {};
    }),
    operation('PurgeQueue', { QueueUrl }, async (input) => {
      await queues.purge(queueNameOf(input.QueueUrl));
      return {};
    }),
    operation('SendMessage', { QueueUrl, ...sendMembers }, (input) =>
      sent(queueNameOf(input.QueueUrl), input),
    ),
    operation(
      'SendMessageBatch',
      {
        QueueUrl,
        Entries: z
          .array(z.strictObject({ Id: z.string(), ...sendMembers }))
          .min(1)
          .max(batchMax),
      },
      async (input) => {
        const name = queueNameOf(input.QueueUrl);
        queues.get(name);
        return batch(input.Entries, (entry) => sent(name, entry));
      },
    ),
    operation(
      'ReceiveMessage',
      {
        QueueUrl,
        MaxNumberOfMessages: z.number().int().min(1).max(10).default(1),
        VisibilityTimeout: seconds(43_200).optional(),
        WaitTimeSeconds: seconds(20).optional(),
        AttributeNames: z.array(z.string()).default([]),
        MessageSystemAttributeNames: z.array(z.string()).default([]),
        MessageAttributeNames: z.array(z.string()).default([]),
      },
      async (input) => {
        const messages = await queues.receive(queueNameOf(input.QueueUrl), {
          max: input.MaxNumberOfMessages,
          ...(input.VisibilityTimeout !== undefined && { visibilitySeconds: input.VisibilityTimeout }),
          ...(input.WaitTimeSeconds !== undefined && { waitSeconds: input.WaitTimeSeconds }),
        });
        const system = new Set([...input.AttributeNames, ...input.MessageSystemAttributeNames]);
        const Messages = messages.map((message) => shown(message, system, input.MessageAttributeNames));
        return Messages.length === 0 ? {} : { Messages };
      },
    ),
    operation('DeleteMessage', { QueueUrl, ReceiptHandle: z.string() }, async (input) => {
      await queues.delete(queueNameOf(input.QueueUrl), input.ReceiptHandle);
      return {};
    }),
    operation(
      'DeleteMessageBatch',
      {
        QueueUrl,
        Entries: z
          .array(z.strictObject({ Id: z.string(), ReceiptHandle: z.string() }))
          .min(1)
          .max(batchMax),
      },
      async (input) => {
        const name = queueNameOf(input.QueueUrl);
        queues.get(name);
        return batch(input.Entries, async ({ ReceiptHandle }) => {
          await queues.delete(name, ReceiptHandle);
          return {};
        });
      },
    ),
    operation(
      'ChangeMessageVisibility',
      { QueueUrl, ReceiptHandle: z.string(), VisibilityTimeout: seconds(43_200) },
      (input) => {
        queues.changeVisibility(queueNameOf(input.QueueUrl), input.ReceiptHandle, input.VisibilityTimeout);
        return {};
      },
    ),
    operation(
      'GetQueueAttributes',
      { QueueUrl, AttributeNames: z.array(z.string()).default([]) },
      (input) => {
        const name = queueNameOf(input.QueueUrl);
        const { attributes, createdAtMs, modifiedAtMs } = queues.get(name);
        const { visible, inFlight, delayed } = queues.counts(name);
        const all: Record<string, string> = {
          ...defaults,
          ...attributes,
          QueueArn: queueArn(name),
          CreatedTimestamp: String(Math.floor(createdAtMs / 1000)),
          LastModifiedTimestamp: String(Math.floor(modifiedAtMs / 1000)),
          ApproximateNumberOfMessages: String(visible),
          ApproximateNumberOfMessagesNotVisible: String(inFlight),
          ApproximateNumberOfMessagesDelayed: String(delayed),
        };
        const wanted = new Set(input.AttributeNames);
        return {
          Attributes: Object.fromEntries(
            Object.entries(all).filter(([each]) => wanted.has('All') || wanted.has(each)),
          ),
        };
      },
    ),
    operation(
      'SetQueueAttributes',
      { QueueUrl, Attributes: z.record(z.string(), z.string()) },
      async (input) => {
        const name = queueNameOf(input.QueueUrl);
        const { attributes } = queues.get(name);
        await queues.update(name, { attributes: { ...attributes, ...checkedAttributes(input.Attributes) } });
        return {};
      },
    ),
    operation('TagQueue', { QueueUrl, Tags: z.record(z.string(), z.string()) }, async (input) => {
      const name = queueNameOf(input.QueueUrl);
      await queues.update(name, { tags: { ...queues.get(name).tags, ...input.Tags } });
      return {};
    }),
    operation('ListQueueTags', { QueueUrl }, (input) => ({
      Tags: queues.get(queueNameOf(input.QueueUrl)).tags,
    })),
  ];
  return jsonService({
    target: 'AmazonSQS',
    version: '1.0',
    invalidType: 'InvalidParameterValue',
    bytesMax,
    operations: new Map(operations),
    queryCodes: {
      QueueDoesNotExist: 'AWS.SimpleQueueService.NonExistentQueue',
      QueueNameExists: 'QueueAlreadyExists',
    },
  });
}

function shown(message: ReceivedMessage, system: ReadonlySet<string>, wanted: readonly string[]) {
  const { messageId, body, attributes, sentAtMs, receiveCount, firstReceivedAtMs, receiptHandle } = message;
  const own: Record<string, string> = {
    SentTimestamp: String(sentAtMs),
    ApproximateReceiveCount: String(receiveCount),
    ApproximateFirstReceiveTimestamp: String(firstReceivedAtMs),
    SenderId: accountId,
  };
  const told = Object.entries(own).filter(([name]) => system.has('All') || system.has(name));
  const given = Object.entries(attributes).filter(([name]) =>
    wanted.some(
      (each) =>
        each === 'All' ||
        each === '.*' ||
        each === name ||
        (each.endsWith('.*') && name.startsWith(each.slice(0, -2))),
    ),
  );
  const MessageAttributes = Object.fromEntries(given);
  return {
    MessageId: messageId,
    ReceiptHandle: receiptHandle,
    MD5OfBody: md5(body),
    Body: body,
    ...(told.length > 0 && { Attributes: Object.fromEntries(told) }),
    ...(given.length > 0 && { MessageAttributes, MD5OfMessageAttributes: attributesMd5(MessageAttributes) }),
  };
}

async function batch<E extends { Id: string }>(entries: E[], act: (entry: E) => Promise<object>) {
  if (new Set(entries.map(({ Id }) => Id)).size !== entries.length)
    throw new AwsError(
      400,
      'BatchEntryIdsNotDistinct',
      'Two or more batch entries in the request have the same Id.',
    );
  const results = await Promise.all(
    entries.map(async (entry) => {
      try {
        return { ok: { Id: entry.Id, ...(await act(entry)) } };
      } catch (error) {
        if (!(error instanceof AwsError)) throw error;
        return { failed: { Id: entry.Id, SenderFault: true, Code: error.type, Message: error.message } };
      }
    }),
  );
  return {
    Successful: results.flatMap(({ ok }) => (ok ? [ok] : [])),
    Failed: results.flatMap(({ failed }) => (failed ? [failed] : [])),
  };
}
