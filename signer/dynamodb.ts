/**
 * DynamoDB as a sign table: the two calls of a signer, as JSON 1.0, signed by aws4, over connections that are kept. Not the
 * AWS SDK: its client costs a signature more than the table's write (docs/decisions/sign-table-client.md).
 * Nothing is ever repeated: what a failed call means is its caller's to judge.
 */

import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import aws4 from 'aws4';
import { signTablePartitionKey } from '../protocol/sign-record.ts';
import { type AwsClientOptions, agentOptions, configuredCredentials, connectMsMax } from './aws-client.ts';
import type { Credentials } from './credentials.ts';
import type { SignTable } from './record-client.ts';

export interface DynamoOptions extends AwsClientOptions {
  table: string;
}

export interface DynamoTable extends SignTable {
  close(): void;
}

/** An item has 400 KB at most, the record's and the beat's far less. */
const answerBytesMax = 1024 * 1024;
/** DynamoDB refuses what was signed 5 minutes ago; a clock that is off by less is left alone. */
const skewMsMin = 2 * 60 * 1000;

/** An answer that is no success. `name` is DynamoDB's, such as `ConditionalCheckFailedException`. */
export class DynamoError extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

export function dynamoTable({ table, ...options }: DynamoOptions): DynamoTable {
  const { region, endpoint } = options;
  const url = new URL(endpoint ?? awsEndpoint(region));
  const secure = url.protocol === 'https:';
  let agent: HttpAgent | undefined;
  const credentials = configuredCredentials(options) ?? defaultCredentials();
  /** ms that DynamoDB's clock is ahead of ours, where that is too much for a signature. */
  let skewMs = 0;

  async function call(operation: string, input: object, signal: AbortSignal): Promise<Answer> {
    // With the first call, not before: a CA file that is missing is a table that can't be reached, and no end of the process.
    agent ??= secure ? new HttpsAgent(agentOptions(options)) : new HttpAgent(agentOptions(options));
    const keys = await credentials();
    signal.throwIfAborted();
    const { headers, body } = aws4.sign(
      {
        service: 'dynamodb',
        region,
        host: url.host,
        method: 'POST',
        path: '/',
        headers: {
          'Content-Type': 'application/x-amz-json-1.0',
          'X-Amz-Target': `DynamoDB_20120810.${operation}`,
          'X-Amz-Date': amzDate(Date.now() + skewMs),
        },
        body: JSON.stringify(input),
      },
      keys,
    );
    const { hostname, port } = url;
    const send = secure ? httpsRequest : httpRequest;
    const { status, date, text } = await exchange(
      send({ hostname, port, method: 'POST', path: '/', headers: { ...headers }, agent, signal }),
      String(body),
    );
    if (status === 200) return JSON.parse(text) as Answer;
    const ahead = date - Date.now();
    // Measured against what was signed with: a clock that is set right again needs no help any more.
    if (status < 500 && Math.abs(ahead - skewMs) > skewMsMin)
      skewMs = Math.abs(ahead) > skewMsMin ? ahead : 0;
    throw refusalOf(status, text);
  }

  return {
    async getItem(key, signal) {
      const input = {
        TableName: table,
        Key: { [signTablePartitionKey]: { S: key } },
        ConsistentRead: true,
      };
      return (await call('GetItem', input, signal)).Item;
    },
    updateItem: async (input, signal) => (await call('UpdateItem', input, signal)).Attributes ?? {},
    close: () => agent?.destroy(),
  };
}

interface Answer {
  Item?: Record<string, unknown>;
  Attributes?: Record<string, unknown>;
}

function awsEndpoint(region: string): string {
  return `https://dynamodb.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** Where the SDK's clients look: environment, profile, container, instance. Loaded only by those who need it. */
function defaultCredentials(): () => Promise<Credentials> {
  let found: Promise<() => Promise<Credentials>> | undefined;
  return async () => {
    found ??= import('@aws-sdk/credential-provider-node').then(({ defaultProvider }) => defaultProvider());
    return (await found)();
  };
}

/** `20261127T101112Z` */
function amzDate(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

/** @returns `date` in ms since 1970 by the server's clock, NaN where it tells none */
function exchange(
  request: ClientRequest,
  body: string,
): Promise<{ status: number; date: number; text: string }> {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('socket', (socket) => {
      if (!socket.connecting) return;
      const timer = setTimeout(
        () => request.destroy(new Error(`no connection within ${connectMsMax} ms`)),
        connectMsMax,
      );
      const settled = () => clearTimeout(timer);
      socket.once('connect', settled).once('close', settled);
    });
    request.on('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('error', reject);
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > answerBytesMax)
          request.destroy(new Error(`the answer has more than ${answerBytesMax} bytes`));
        else chunks.push(chunk);
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          date: Date.parse(response.headers.date ?? ''),
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    request.end(body);
  });
}

function refusalOf(status: number, text: string): DynamoError {
  let body: { __type?: unknown; message?: unknown; Message?: unknown } = {};
  try {
    body = Object(JSON.parse(text));
  } catch {
    // A proxy's page, or nothing.
  }
  const name = String(body.__type ?? `HTTP ${status}`)
    .split('#')
    .at(-1);
  return new DynamoError(name ?? '', String(body.message ?? body.Message ?? `DynamoDB answered ${status}`));
}
