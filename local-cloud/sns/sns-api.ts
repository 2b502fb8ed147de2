/** SNS's API (Query protocol) for standard topics; FIFO topics and filter policies are refused by name. */

import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import { type Handler, operation } from '../https/operation.ts';
import { page } from '../https/page.ts';
import { queryService } from '../https/query-service.ts';
import type { SignedService } from '../https/signed-service.ts';
import { accountId } from '../registry/arns.ts';
import { AwsError, notImplemented } from '../registry/aws-error.ts';
import { type Protocol, protocols, type SubscriptionRecord } from './records.ts';
import { certificateAt, isCertificatePath, type SigningPair } from './signature.ts';
import { type Topics, topicArn } from './topics.ts';

const bytesMax = 1024 * 1024;
const pageSize = 100;

const texts = z.record(z.string(), z.string()).default({});
const tags = z.array(z.strictObject({ Key: z.string(), Value: z.string() })).default([]);
const messageAttributes = z
  .record(
    z.string(),
    z.strictObject({
      DataType: z.string(),
      StringValue: z.string().optional(),
      BinaryValue: z.string().optional(),
    }),
  )
  .default({});
const TopicArn = z.string();
const SubscriptionArn = z.string();
const NextToken = z.string().optional();
/** Kept and shown; of no effect here but the last. */
const topicAttributesKept = new Set([
  'DisplayName',
  'Policy',
  'DeliveryPolicy',
  'KmsMasterKeyId',
  'TracingConfig',
  'SignatureVersion',
]);

const invalid = (message: string) => new AwsError(400, 'InvalidParameter', `Invalid parameter: ${message}`);

function checkTopicAttributes(attributes: Record<string, string>): Record<string, string> {
  for (const name of Object.keys(attributes)) {
    if (name === 'FifoTopic') throw notImplemented('FIFO topics');
    if (name === 'SignatureVersion' && !/^[12]$/.test(attributes[name] ?? ''))
      throw invalid('SignatureVersion: it is 1 or 2');
    if (!topicAttributesKept.has(name)) throw invalid(`AttributeName: ${name}`);
  }
  return attributes;
}

function checkEndpoint(protocol: Protocol, endpoint: string): void {
  const fits = {
    http: URL.canParse(endpoint) && endpoint.startsWith('http://'),
    https: URL.canParse(endpoint) && endpoint.startsWith('https://'),
    email: /^[^@\s]+@[^@\s]+$/.test(endpoint),
    'email-json': /^[^@\s]+@[^@\s]+$/.test(endpoint),
    sms: /^\+?[0-9-]{3,20}$/.test(endpoint),
    sqs: /^arn:[a-z-]+:sqs:[^:]*:\d{12}:[A-Za-z0-9_-]{1,80}$/.test(endpoint),
    lambda: /^arn:[a-z-]+:lambda:[^:]*:\d{12}:function:[A-Za-z0-9_-]{1,64}$/.test(endpoint),
  }[protocol];
  if (!fits) throw invalid(`Endpoint: ${endpoint} is none of ${protocol}`);
}

const shown = ({
  subscriptionArn,
  topicArn: topic,
  protocol,
  endpoint,
  pendingToken,
}: SubscriptionRecord) => ({
  SubscriptionArn: pendingToken === undefined ? subscriptionArn : 'PendingConfirmation',
  Owner: accountId,
  Protocol: protocol,
  Endpoint: endpoint,
  TopicArn: topic,
});

function rawOf(attributes: Record<string, string>): boolean {
  for (const name of Object.keys(attributes)) {
    if (name === 'FilterPolicy' || name === 'FilterPolicyScope')
      throw notImplemented(`${name} of subscriptions`);
    if (name !== 'RawMessageDelivery') throw invalid(`AttributeName: ${name}`);
  }
  return attributes.RawMessageDelivery === 'true';
}

/** The link in a confirmation, which a server or a person follows without a signature: the token is the right. */
function isConfirmation(request: IncomingMessage): boolean {
  return (
    request.method === 'GET' &&
    request.headers.authorization === undefined &&
    /^\/\?(?:[^&]*&)*Action=ConfirmSubscription(?:&|$)/.test(request.url ?? '')
  );
}

/** Whoever checks a signature needs the certificate, and has no right to anything. */
function isForCertificate({ method, url, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.authorization === undefined && isCertificatePath(url ?? '');
}

export function snsService(topics: Topics, signer: SigningPair): SignedService {
  const operations: [string, Handler][] = [
    operation('CreateTopic', { Name: z.string(), Attributes: texts, Tags: tags }, async (input) => {
      if (input.Name.endsWith('.fifo')) throw notImplemented('FIFO topics');
      if (!/^[A-Za-z0-9_-]{1,256}$/.test(input.Name)) throw invalid('Topic Name');
      const attributes = checkTopicAttributes(input.Attributes);
      const arn = topicArn(input.Name);
      const found = topics.find(arn);
      const different = Object.keys(attributes).some(
        (name) => found && found.attributes[name] !== attributes[name],
      );
      if (different) throw invalid('Attributes Reason: Topic already exists with different attributes');
      if (!found) {
        const own = Object.fromEntries(input.Tags.map(({ Key, Value }) => [Key, Value]));
        await topics.put({ topicArn: arn, attributes, tags: own });
      }
      return { TopicArn: arn };
    }),
    operation('DeleteTopic', { TopicArn }, async (input) => {
      await topics.remove(input.TopicArn);
      return {};
    }),
    operation('ListTopics', { NextToken }, (input) => {
      const { items, next } = page('ListTopics', topics.all(), ({ topicArn: arn }) => arn, {
        token: input.NextToken,
        size: pageSize,
      });
      return { Topics: items.map(({ topicArn: arn }) => ({ TopicArn: arn })), NextToken: next };
    }),
    operation('GetTopicAttributes', { TopicArn }, (input) => {
      const { attributes } = topics.get(input.TopicArn);
      const subscriptions = topics.subscriptionsOf(input.TopicArn);
      const pending = subscriptions.filter(({ pendingToken }) => pendingToken !== undefined).length;
      return {
        Attributes: new Map([
          ...Object.entries({ DisplayName: '', ...attributes }),
          ['TopicArn', input.TopicArn],
          ['Owner', accountId],
          ['SubscriptionsConfirmed', String(subscriptions.length - pending)],
          ['SubscriptionsPending', String(pending)],
          ['SubscriptionsDeleted', '0'],
        ]),
      };
    }),
    operation(
      'SetTopicAttributes',
      { TopicArn, AttributeName: z.string(), AttributeValue: z.string().default('') },
      async (input) => {
        const record = topics.get(input.TopicArn);
        const change = checkTopicAttributes({ [input.AttributeName]: input.AttributeValue });
        await topics.put({ ...record, attributes: { ...record.attributes, ...change } });
        return {};
      },
    ),
    operation('ListTagsForResource', { ResourceArn: z.string() }, (input) => ({
      Tags: Object.entries(topics.get(input.ResourceArn).tags).map(([Key, Value]) => ({ Key, Value })),
    })),
    operation('TagResource', { ResourceArn: z.string(), Tags: tags }, async (input) => {
      const record = topics.get(input.ResourceArn);
      const added = Object.fromEntries(input.Tags.map(({ Key, Value }) => [Key, Value]));
      await topics.put({ ...record, tags: { ...record.tags, ...added } });
      return {};
    }),
    operation(
      'Subscribe',
      {
        TopicArn,
        Protocol: z.enum(protocols),
        Endpoint: z.string(),
        Attributes: texts,
        ReturnSubscriptionArn: z.string().optional(),
      },
      async (input) => {
        checkEndpoint(input.Protocol, input.Endpoint);
        const record = await topics.subscribe(input.TopicArn, {
          protocol: input.Protocol,
          endpoint: input.Endpoint,
          raw: rawOf(input.Attributes),
        });
        const pending = record.pendingToken !== undefined && input.ReturnSubscriptionArn !== 'true';
        return { SubscriptionArn: pending ? 'pending confirmation' : record.subscriptionArn };
      },
    ),
    operation(
      'ConfirmSubscription',
      { TopicArn, Token: z.string(), AuthenticateOnUnsubscribe: z.string().optional() },
      async (input) => {
        const { subscriptionArn } = await topics.confirm(input.TopicArn, input.Token);
        return { SubscriptionArn: subscriptionArn };
      },
    ),
    operation('Unsubscribe', { SubscriptionArn }, async (input) => {
      await topics.unsubscribe(input.SubscriptionArn);
      return {};
    }),
    operation('ListSubscriptions', { NextToken }, (input) => {
      const { items, next } = page(
        'ListSubscriptions',
        topics.subscriptions(),
        ({ subscriptionArn }) => subscriptionArn,
        { token: input.NextToken, size: pageSize },
      );
      return { Subscriptions: items.map(shown), NextToken: next };
    }),
    operation('ListSubscriptionsByTopic', { TopicArn, NextToken }, (input) => {
      topics.get(input.TopicArn);
      const { items, next } = page(
        'ListSubscriptionsByTopic',
        topics.subscriptionsOf(input.TopicArn),
        ({ subscriptionArn }) => subscriptionArn,
        { token: input.NextToken, size: pageSize },
      );
      return { Subscriptions: items.map(shown), NextToken: next };
    }),
    operation('GetSubscriptionAttributes', { SubscriptionArn }, (input) => {
      const record = topics.subscription(input.SubscriptionArn);
      return {
        Attributes: new Map([
          ...Object.entries(shown(record)),
          ['SubscriptionArn', record.subscriptionArn],
          ['RawMessageDelivery', String(record.raw)],
          ['PendingConfirmation', String(record.pendingToken !== undefined)],
        ]),
      };
    }),
    operation(
      'SetSubscriptionAttributes',
      { SubscriptionArn, AttributeName: z.string(), AttributeValue: z.string().default('') },
      async (input) => {
        const record = topics.subscription(input.SubscriptionArn);
        const raw = rawOf({ [input.AttributeName]: input.AttributeValue });
        await topics.putSubscription({ ...record, raw });
        return {};
      },
    ),
    operation(
      'Publish',
      {
        TopicArn: z.string().optional(),
        TargetArn: z.string().optional(),
        PhoneNumber: z.string().optional(),
        Message: z.string(),
        Subject: z.string().optional(),
        MessageStructure: z.literal('json').optional(),
        MessageAttributes: messageAttributes,
      },
      async (input) => {
        if (input.PhoneNumber !== undefined) throw notImplemented('PhoneNumber of Publish');
        const attributes = Object.entries(input.MessageAttributes).map(
          ([name, { DataType, StringValue, BinaryValue }]) => [
            name,
            {
              DataType,
              ...(StringValue !== undefined && { StringValue }),
              ...(BinaryValue !== undefined && { BinaryValue }),
            },
          ],
        );
        const MessageId = await topics.publish(input.TopicArn ?? input.TargetArn ?? '', {
          message: input.Message,
          ...(input.Subject !== undefined && { subject: input.Subject }),
          ...(input.MessageStructure !== undefined && { structure: input.MessageStructure }),
          attributes: Object.fromEntries(attributes),
        });
        return { MessageId };
      },
    ),
  ];
  const service = queryService({
    service: 'SNS',
    namespace: 'http://sns.amazonaws.com/doc/2010-03-31/',
    invalidType: 'InvalidParameter',
    bytesMax,
    operations: new Map(operations),
    isOpen: isConfirmation,
  });
  return {
    ...service,
    isOpen: (request) => isConfirmation(request) || isForCertificate(request),
    async handle(request, response, body) {
      if (!isForCertificate(request)) return service.handle(request, response, body);
      const certificate = await certificateAt(request.url ?? '', signer);
      response.writeHead(certificate === undefined ? 404 : 200, { 'content-type': 'application/x-pem-file' });
      response.end(certificate);
    },
  };
}
