/**
 * Single calls of DynamoDB's API: JSON 1.0, signed, over connections that are kept. Not the AWS SDK, whose client costs a
 * signature more than the table's write, and a cold function more than all of its own code (docs/decisions/dynamodb-client.md).
 * Nothing is ever repeated here: what a failed call means is its caller's to judge.
 */

import { Connections, type GivenUp } from './connections.ts';
import { type Credentials, signedRequest } from './signed-request.ts';

export interface DynamoCallsOptions {
  region: string;
  /** Left out: AWS's own of the region. */
  endpoint?: string | undefined;
  /** Where the endpoint is reached in place of its address, as `ConnectionsOptions` has it. */
  socket?: string | undefined;
  /**
   * PEM of who vouches for the endpoint; left out: Node's own list. Asked for with the first call, not before: a CA file that is
   * missing is a table that can't be reached, and no end of the process.
   */
  ca?: (() => Buffer | undefined) | undefined;
  /** Calls at once; more are refused. */
  callsMax: number;
  /** What is at hand is used at once: the request is on its way when `call` returns. */
  credentials: () => Credentials | Promise<Credentials>;
  /** ms; a connection that takes longer is none. A call's own time is its caller's. */
  connectMsMax: number;
  answerBytesMax: number;
}

export interface DynamoCalls {
  /**
   * @param operation such as `GetItem`
   * @throws DynamoError for an answer that is no success; what the connection throws
   */
  call(operation: string, input: object, givenUp: GivenUp): Promise<unknown>;
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
  const { region, endpoint, socket, ca, credentials, callsMax, connectMsMax, answerBytesMax } = options;
  const url = new URL(endpoint ?? awsEndpoint(region));
  let connections: Connections | undefined;
  /** ms that DynamoDB's clock is ahead of ours, where that is too much for a signature. */
  let skewMs = 0;

  return {
    async call(operation, input, givenUp) {
      connections ??= new Connections({
        url,
        socket,
        ca: socket === undefined ? ca?.() : undefined,
        connectionsMax: callsMax,
        connectMsMax,
        answerBytesMax,
      });
      const found = credentials();
      const keys = found instanceof Promise ? await found : found;
      const request = { operation, host: url.host, region, date: amzDate(Date.now() + skewMs) };
      const signed = signedRequest({ ...request, body: JSON.stringify(input) }, keys);
      const { status, date, text } = await connections.exchange(signed, givenUp);
      if (status === 200) return JSON.parse(text);
      const aheadMs = Date.parse(date ?? '') - Date.now();
      // Measured against what was signed with: a clock that is set right again needs no help any more.
      if (status < 500 && Math.abs(aheadMs - skewMs) > skewMsMin)
        skewMs = Math.abs(aheadMs) > skewMsMin ? aheadMs : 0;
      throw refusalOf(status, text);
    },
    close: () => connections?.close(),
  };
}

function awsEndpoint(region: string): string {
  return `https://dynamodb.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** `20261127T101112Z` */
function amzDate(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
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
