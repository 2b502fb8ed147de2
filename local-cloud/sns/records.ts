/** What is on disk of topics, subscriptions, and deliveries that are not done. Times are ms since the epoch. */

import type { MessageAttribute } from '../sqs/records.ts';

export interface TopicRecord {
  topicArn: string;
  attributes: Record<string, string>;
  tags: Record<string, string>;
}

export const protocols = ['http', 'https', 'email', 'email-json', 'sms', 'sqs', 'lambda'] as const;
export type Protocol = (typeof protocols)[number];

export interface SubscriptionRecord {
  subscriptionArn: string;
  topicArn: string;
  protocol: Protocol;
  endpoint: string;
  raw: boolean;
  /** Until the endpoint confirms with its token. */
  pendingToken?: string;
}

export interface Notification {
  type: 'Notification' | 'SubscriptionConfirmation';
  messageId: string;
  topicArn: string;
  subject?: string;
  message: string;
  attributes: Record<string, MessageAttribute>;
  atMs: number;
  /** Of a confirmation. */
  token?: string;
}

export interface DeliveryRecord {
  subscriptionArn: string;
  notification: Notification;
  attempts: number;
  dueAtMs: number;
}
