/**
 * Single calls of DynamoDB's API: JSON 1.0, signed by aws4, over connections that are kept. Not the AWS SDK, whose client costs a
 * signature more than the table's write, and a cold function more than all of its own code (docs/decisions/dynamodb-client.md).
 * Nothing is ever repeated here: what a failed call means is its caller's to judge.
 */

import {
  type AgentOptions,
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import {
  Agent as HttpsAgent,
  request as httpsRequest,
  type AgentOptions as TlsAgentOptions,
} from 'node:https';
import aws4 from 'aws4';

/** What a request is signed with. */
export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

export interface DynamoCallsOptions {
  region: string;
  /** Left out: AWS's own of the region. */
  endpoint?: string | undefined;
  /** Asked for with the first call, not before: a CA file that is missing is a table that can't be reached, and no end of the process. */
  agentOptions: () => AgentOptions & TlsAgentOptions;
  credentials: () => Promise<Credentials>;
  /** ms; a connection that takes longer is none. A call's own time is its caller's. */
  connectMsMax: number;
  answerBytesMax: number;
}

export interface DynamoCalls {
  /**
   * @param operation such as `GetItem`
   * @throws DynamoError for an answer that is no success; what the connection throws
   */
  call(operation: string, input: object, signal: AbortSignal): Promise<unknown>;
  close(): void;
}

/** DynamoDB refuses what was signed 5 minutes ago; a clock that is off by less is left alone. */
const skewMsMin = 2 * 60 * 1000;

/** An answer that is no success. `name` is DynamoDB's, such as `ConditionalCheckFailedException`. */
export class DynamoError extends Error {
  readonly status: number;
  constructor(name: string, message: string, status: number) {
    super(message);
    this.name = name;
    this.status = status;
  }
}

export function dynamoCalls(options: DynamoCallsOptions): DynamoCalls {
  const { region, endpoint, agentOptions, credentials, connectMsMax, answerBytesMax } = options;
  const url = new URL(endpoint ?? awsEndpoint(region));
  const secure = url.protocol === 'https:';
  let agent: HttpAgent | undefined;
  /** ms that DynamoDB's clock is ahead of ours, where that is too much for a signature. */
  let skewMs = 0;

  return {
    async call(operation, input, signal) {
      agent ??= secure ? new HttpsAgent(agentOptions()) : new HttpAgent(agentOptions());
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
        { connectMsMax, answerBytesMax },
      );
      if (status === 200) return JSON.parse(text);
      const ahead = date - Date.now();
      // Measured against what was signed with: a clock that is set right again needs no help any more.
      if (status < 500 && Math.abs(ahead - skewMs) > skewMsMin)
        skewMs = Math.abs(ahead) > skewMsMin ? ahead : 0;
      throw refusalOf(status, text);
    },
    close: () => agent?.destroy(),
  };
}

function awsEndpoint(region: string): string {
  return `https://dynamodb.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** `20261127T101112Z` */
function amzDate(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

/** @returns `date` in ms since 1970 by the server's clock, NaN where it tells none */
function exchange(
  request: ClientRequest,
  body: string,
  { connectMsMax, answerBytesMax }: Pick<DynamoCallsOptions, 'connectMsMax' | 'answerBytesMax'>,
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
  const message = String(body.message ?? body.Message ?? `DynamoDB answered ${status}`);
  return new DynamoError(name ?? '', message, status);
}
