/** Invocations by Lambda's API, and by other services of this cloud under the function's policy. */

import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../engines/json-tree.ts';
import { AwsError } from '../registry/aws-error.ts';
import type { Functions } from './functions.ts';
import { FunctionError, FunctionQueueFullError, type LambdaRunner } from './runner.ts';

/** Lambda's limits. */
const payloadBytesMax = 6 * 1024 * 1024;
/** A hundred more than 6 MiB, as its message has it. */
const answerBytesMax = 6_291_556;
const logTailBytes = 4096;

export interface InvokeRequest {
  name: string;
  type: string;
  wantsLog: boolean;
  /** JSON; empty is no event. */
  payload: Buffer;
}

export interface InvokeAnswer {
  status: number;
  requestId: string;
  payload: string;
  functionError: boolean;
  log?: Buffer;
}

export interface FunctionCalls {
  /** @throws AwsError */
  invoke(request: InvokeRequest): Promise<InvokeAnswer>;
  /**
   * An asynchronous invocation by a service, such as `iot.amazonaws.com` for a rule.
   * @throws Error where the function's policy has no room for it, or it can't be queued
   */
  invokeFor(service: string, sourceArn: string, name: string, event: unknown): Promise<void>;
  /**
   * As `invokeFor`, and waits for the answer.
   * @throws Error where the function fails, or takes longer than `msMax`, too
   */
  answerFor(
    service: string,
    sourceArn: string,
    name: string,
    event: unknown,
    msMax: number,
  ): Promise<unknown>;
}

export function createFunctionCalls(
  functions: Functions,
  runner: LambdaRunner,
  logDir: string,
): FunctionCalls {
  function parse(payload: Buffer): unknown {
    if (payload.length > payloadBytesMax)
      throw new AwsError(
        413,
        'RequestTooLargeException',
        `Request must be smaller than ${payloadBytesMax} bytes`,
      );
    if (payload.length === 0) return {};
    try {
      return parseJson(payload.toString('utf8'));
    } catch (error) {
      throw new AwsError(
        400,
        'InvalidRequestContentException',
        `Could not parse request body into json: ${String(error)}`,
      );
    }
  }

  async function invoke({ name, type, wantsLog, payload }: InvokeRequest): Promise<InvokeAnswer> {
    const { reservedConcurrency } = functions.get(name);
    const event = parse(payload);
    const requestId = randomUUID();
    const none = { requestId, payload: '', functionError: false };
    if (type === 'DryRun') return { ...none, status: 204 };
    if (type === 'Event') {
      const queued = await orThrottled(() => runner.invokeAsync(name, event));
      return { ...none, ...queued, status: 202 };
    }
    if (type !== 'RequestResponse')
      throw new AwsError(400, 'InvalidParameterValueException', `Unknown invocation type ${type}`);
    if (reservedConcurrency === 0) throw throttled('Rate exceeded');
    const answer = await orThrottled(() => answered(name, event, requestId));
    const log = wantsLog ? await logTail(join(logDir, `${name}.log`), requestId) : undefined;
    return { status: 200, requestId, ...answer, ...(log && { log }) };
  }

  async function answered(name: string, event: unknown, requestId: string) {
    try {
      const result = await runner.invoke(name, event, requestId);
      const answer = JSON.stringify(result) ?? 'null';
      if (Buffer.byteLength(answer) <= answerBytesMax) return { payload: answer, functionError: false };
      const errorMessage = `Response payload size exceeded maximum allowed payload size (${answerBytesMax} bytes).`;
      const failure = { errorType: 'Function.ResponseSizeTooLarge', errorMessage };
      return { payload: JSON.stringify(failure), functionError: true };
    } catch (error) {
      if (!(error instanceof FunctionError)) throw error;
      return { payload: JSON.stringify(error.failure), functionError: true };
    }
  }

  function checkMayInvoke(service: string, sourceArn: string, name: string): void {
    if (functions.mayInvoke(name, service, sourceArn)) return;
    throw new Error(
      `${service} may not invoke ${name} for ${sourceArn}: the function's policy does not allow it (AddPermission)`,
    );
  }

  return {
    invoke,
    async invokeFor(service, sourceArn, name, event) {
      checkMayInvoke(service, sourceArn, name);
      await runner.invokeAsync(name, event);
    },
    async answerFor(service, sourceArn, name, event, msMax) {
      checkMayInvoke(service, sourceArn, name);
      const invoked = runner.invoke(name, event);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${name} did not answer within ${msMax} ms`)), msMax);
      });
      // What comes after that is nobody's.
      invoked.catch(() => undefined);
      return Promise.race([invoked, late]).finally(() => clearTimeout(timer));
    },
  };
}

const throttled = (message: string) => new AwsError(429, 'TooManyRequestsException', message);

async function orThrottled<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof FunctionQueueFullError) throw throttled(error.message);
    if (error instanceof TypeError) throw new AwsError(413, 'RequestTooLargeException', error.message);
    throw error;
  }
}

/** The invocation's own lines, as far as they are in the log's last part. */
async function logTail(path: string, requestId: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(size, 16 * logTailBytes));
    await file.read(buffer, 0, buffer.length, size - buffer.length);
    const start = buffer.indexOf(`START RequestId: ${requestId}`);
    const own = start < 0 ? buffer : buffer.subarray(start);
    return own.subarray(Math.max(0, own.length - logTailBytes));
  } finally {
    await file.close();
  }
}
