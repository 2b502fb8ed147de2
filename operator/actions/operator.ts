/** What an operator's actions work with: AWS's clients, against AWS or the local cloud. */

import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { IoTClient } from '@aws-sdk/client-iot';
import { IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { fleetTableName } from '../../protocol/fleet-table.ts';
import { signTableName } from '../../protocol/sign-record.ts';

export interface Operator {
  iot: IoTClient;
  iotData: IoTDataPlaneClient;
  dynamodb: DynamoDBClient;
  fleetTable: string;
  signTable: string;
  clock: Clock;
}

export interface Clock {
  /** ms since the epoch. */
  now(): number;
  /** ms, never set back. */
  monotonic(): number;
  /** @throws the signal's reason, when it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface OperatorPlace {
  /** Undefined: the SDK's own configuration. */
  region?: string | undefined;
  /** One address for iot, iot-data and dynamodb; undefined: AWS's own. */
  endpoint?: string | undefined;
  /** Of shadows and messages, where it is an account's own (DescribeEndpoint). */
  dataEndpoint?: string | undefined;
  /** PEM file of the endpoint's authority; undefined: the system's. */
  ca?: string | undefined;
  /** Undefined: the SDK's default chain. */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined;
}

const connectionTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const abort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', abort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', abort, { once: true });
    }),
};

/** Connects at the first call. End it with `disconnect`. */
export function connectOperator({
  region,
  endpoint,
  dataEndpoint,
  ca,
  credentials,
}: OperatorPlace): Operator {
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
  return {
    iot: new IoTClient(settings),
    iotData: new IoTDataPlaneClient(
      dataEndpoint === undefined ? settings : { ...settings, endpoint: dataEndpoint },
    ),
    dynamodb: new DynamoDBClient(settings),
    fleetTable: fleetTableName,
    signTable: signTableName,
    clock: systemClock,
  };
}

export function disconnect({ iot, iotData, dynamodb }: Operator): void {
  iot.destroy();
  iotData.destroy();
  dynamodb.destroy();
}
