/** Where a deployment goes: AWS's clients, and the account's own part of ARNs. */

import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { IAMClient } from '@aws-sdk/client-iam';
import { IoTClient } from '@aws-sdk/client-iot';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { OperatorPlace } from '../actions/operator.ts';
import type { Change, ResourceKind } from './deployment.ts';

/** A zip takes a while to send. */
const requestTimeoutMs = 60_000;
const connectionTimeoutMs = 5_000;

export interface DeployClients {
  iot: IoTClient;
  lambda: LambdaClient;
  sns: SNSClient;
  sqs: SQSClient;
  events: EventBridgeClient;
  dynamodb: DynamoDBClient;
  iam: IAMClient;
  destroy(): void;
}

export function connectForDeploy({ region, endpoint, ca, credentials }: OperatorPlace): DeployClients {
  const settings = {
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    requestHandler: new NodeHttpHandler({
      httpsAgent: new Agent({ keepAlive: true, ...(ca === undefined ? {} : { ca: readFileSync(ca) }) }),
      connectionTimeout: connectionTimeoutMs,
      requestTimeout: requestTimeoutMs,
      // Without it the handler only warns, and waits on.
      throwOnRequestTimeout: true,
    }),
  };
  const clients = {
    iot: new IoTClient(settings),
    lambda: new LambdaClient(settings),
    sns: new SNSClient(settings),
    sqs: new SQSClient(settings),
    events: new EventBridgeClient(settings),
    dynamodb: new DynamoDBClient(settings),
    iam: new IAMClient(settings),
  };
  return {
    ...clients,
    destroy() {
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}

/** The account and region that ARNs are of. */
export interface Account {
  partition: string;
  region: string;
  account: string;
}

export interface DeployContext extends DeployClients {
  dryRun: boolean;
  runtime: string;
  /** One for all functions; left out: each gets its own. */
  roleArn?: string | undefined;
  account: Account;
  deadLetterArn: string;
  /** ms. @throws the signal's reason */
  sleep(ms: number): Promise<void>;
}

export function arnIn({ partition, region, account }: Account, service: string, resource: string): string {
  return `arn:${partition}:${service}:${region}:${account}:${resource}`;
}

export function roleArnIn({ partition, account }: Account, name: string): string {
  return `arn:${partition}:iam::${account}:role/${name}`;
}

export function nameOfRole(roleArn: string): string {
  return roleArn.slice(roleArn.lastIndexOf('/') + 1);
}

/** @returns undefined where the answer is an error of one of these names */
export async function unlessMissing<T>(read: Promise<T>, ...names: string[]): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof Error && names.includes(error.name)) return undefined;
    throw error;
  }
}

export const created = (kind: ResourceKind, name: string): Change => ({
  kind,
  name,
  change: 'created',
  what: [],
});

export function updated(kind: ResourceKind, name: string, what: string[]): Change {
  return { kind, name, change: what.length === 0 ? 'unchanged' : 'updated', what };
}

/** JSON with its keys in order and nothing undefined in it: equal texts are equal values. */
export function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_, member: unknown) =>
      typeof member === 'object' && member !== null && !Array.isArray(member)
        ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
        : member,
    ) ?? 'undefined'
  );
}

/** Names of the members of `wanted` that differ. */
export function differences(wanted: Record<string, unknown>, found: Record<string, unknown>): string[] {
  return Object.keys(wanted).filter((name) => canonical(wanted[name]) !== canonical(found[name]));
}

/** Documents are compared as values, however they are written. */
export function parsedOrText(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return text;
  }
}
