/** One notification to one subscriber, in the form that SNS gives it. What SNS would mail or text is a line in a log file. */

import { appendFile } from 'node:fs/promises';
import type { MessageAttribute } from '../sqs/records.ts';
import type { Notification, SubscriptionRecord } from './records.ts';
import type { Signable, Signed } from './signature.ts';

const httpMsMax = 15_000;

export interface DeliveryTargets {
  /** https://host:port of this cloud. */
  address: () => string;
  sign<E extends Signable>(envelope: E): Promise<E & Signed>;
  sendToQueue(
    queueName: string,
    body: string,
    attributes: Record<string, MessageAttribute>,
  ): Promise<unknown>;
  invokeLambda(functionName: string, event: unknown, sourceArn: string): Promise<unknown>;
  /** Of mails and texts: one line of JSON each. */
  logFile: string;
}

/** @throws where the subscriber did not take it */
export async function deliver(
  targets: DeliveryTargets,
  subscription: SubscriptionRecord,
  notification: Notification,
): Promise<void> {
  const { protocol, endpoint, raw } = subscription;
  const envelope = envelopeOf(notification, subscription, targets.address());
  const signed = async () => JSON.stringify(await targets.sign(envelope));
  const lastPart = endpoint.split(':').at(-1) ?? '';
  switch (protocol) {
    case 'http':
    case 'https':
      return post(endpoint, subscription, notification, raw ? notification.message : await signed());
    case 'sqs':
      await targets.sendToQueue(
        lastPart,
        raw ? notification.message : await signed(),
        raw ? notification.attributes : {},
      );
      return;
    case 'lambda': {
      const record = {
        EventSource: 'aws:sns',
        EventVersion: '1.0',
        EventSubscriptionArn: subscription.subscriptionArn,
        Sns: lambdaForm(await targets.sign(envelope), notification),
      };
      await targets.invokeLambda(lastPart, { Records: [record] }, notification.topicArn);
      return;
    }
    case 'email':
    case 'email-json':
    case 'sms': {
      const { topicArn, subject, message, atMs, messageId } = notification;
      const line = {
        at: new Date(atMs).toISOString(),
        protocol,
        endpoint,
        topicArn,
        messageId,
        subject,
        message,
      };
      await appendFile(targets.logFile, `${JSON.stringify(line)}\n`);
    }
  }
}

function envelopeOf(
  { type, messageId, topicArn, subject, message, attributes, atMs, token }: Notification,
  { subscriptionArn }: SubscriptionRecord,
  address: string,
) {
  const link = (action: string, more: Record<string, string>) =>
    `${address}/?${new URLSearchParams({ Action: action, ...more })}`;
  const shown = Object.entries(attributes).map(([name, { DataType, StringValue, BinaryValue }]) => [
    name,
    { Type: DataType, Value: StringValue ?? BinaryValue },
  ]);
  return {
    Type: type,
    MessageId: messageId,
    ...(token !== undefined && { Token: token }),
    TopicArn: topicArn,
    ...(subject !== undefined && { Subject: subject }),
    Message: message,
    ...(token !== undefined && {
      SubscribeURL: link('ConfirmSubscription', { TopicArn: topicArn, Token: token }),
    }),
    Timestamp: new Date(atMs).toISOString(),
    ...(token === undefined && {
      UnsubscribeURL: link('Unsubscribe', { SubscriptionArn: subscriptionArn }),
    }),
    ...(shown.length > 0 && { MessageAttributes: Object.fromEntries(shown) }),
  };
}

/** A function gets the links with other capitals, and every member. */
function lambdaForm(envelope: ReturnType<typeof envelopeOf> & Signed, { subject }: Notification) {
  const { UnsubscribeURL, SigningCertURL, MessageAttributes = {}, ...rest } = envelope;
  return {
    ...rest,
    Subject: subject ?? null,
    MessageAttributes,
    SigningCertUrl: SigningCertURL,
    UnsubscribeUrl: UnsubscribeURL,
  };
}

async function post(
  endpoint: string,
  { subscriptionArn }: SubscriptionRecord,
  { type, messageId, topicArn, token }: Notification,
  body: string,
): Promise<void> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'text/plain; charset=UTF-8',
      'user-agent': 'Amazon Simple Notification Service Agent',
      'x-amz-sns-message-type': type,
      'x-amz-sns-message-id': messageId,
      'x-amz-sns-topic-arn': topicArn,
      ...(token === undefined && { 'x-amz-sns-subscription-arn': subscriptionArn }),
    },
    body,
    redirect: 'manual',
    signal: AbortSignal.timeout(httpMsMax),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${endpoint} answered ${response.status}`);
}
