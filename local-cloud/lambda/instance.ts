/** One instance of a function: a worker thread that loads the bundle once and answers one invocation at a time. */
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { InstanceLog } from './instance-log.ts';
import type { FromInstance, FunctionFailure, InstanceData, ToInstance } from './messages.ts';

type Handler = (event: unknown, context: LambdaContext) => unknown;

/** The part of Lambda's context that an async handler can use. */
export interface LambdaContext {
  functionName: string;
  functionVersion: string;
  invokedFunctionArn: string;
  memoryLimitInMB: string;
  awsRequestId: string;
  logGroupName: string;
  logStreamName: string;
  callbackWaitsForEmptyEventLoop: boolean;
  getRemainingTimeInMillis(): number;
}

/** Monotonic, and the same in all threads of a process (which `performance.now()` is not). */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}

export function runInstance(): void {
  const port = parentPort;
  if (!port) throw new Error('An instance runs in a worker thread');
  const { definition, bundlePath, logPath } = workerData as InstanceData;
  const log = new InstanceLog(logPath);
  const say = (message: FromInstance) => port.postMessage(message);
  let requestId = '';
  captureOutput(log, () => requestId);

  let handler: Handler;
  try {
    handler = loadHandler(bundlePath, definition.handler);
  } catch (error) {
    const failure = describe(error, 'Runtime.ImportModuleError');
    log.console('', 'ERROR', [`${failure.errorType}: ${failure.errorMessage}`, ...(failure.trace ?? [])]);
    say({ type: 'load-failed', failure });
    return;
  }

  port.on('message', async (message: ToInstance) => {
    requestId = message.requestId;
    const started = monotonicMs();
    log.rotate();
    log.line(`START RequestId: ${requestId} Version: $LATEST`);
    try {
      const payload = await handler(JSON.parse(message.event), context(definition, message));
      log.line(endOf(requestId, started));
      say({ type: 'returned', payload: JSON.stringify(payload) });
    } catch (error) {
      const failure = describe(error, 'Error');
      log.console(requestId, 'ERROR', ['Invoke Error', JSON.stringify(failure)]);
      log.line(endOf(requestId, started));
      say({ type: 'threw', failure });
    }
    requestId = '';
  });
  say({ type: 'loaded' });
}

function endOf(requestId: string, started: number): string {
  const duration = (monotonicMs() - started).toFixed(2);
  return `END RequestId: ${requestId}\nREPORT RequestId: ${requestId}\tDuration: ${duration} ms`;
}

function loadHandler(bundlePath: string, name: string): Handler {
  const exported: Record<string, unknown> = createRequire(import.meta.url)(bundlePath);
  const handler = exported[name];
  if (typeof handler !== 'function') throw new Error(`${bundlePath} exports no function named ${name}`);
  return handler as Handler;
}

function context(
  definition: InstanceData['definition'],
  { requestId, deadlineMs }: ToInstance,
): LambdaContext {
  const { env } = process;
  return {
    functionName: definition.name,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:${env.AWS_REGION}:000000000000:function:${definition.name}`,
    memoryLimitInMB: String(definition.memoryMb),
    awsRequestId: requestId,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME ?? '',
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME ?? '',
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, Math.floor(deadlineMs - monotonicMs())),
  };
}

function describe(error: unknown, type: string): FunctionFailure {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error) };
  return {
    errorType: type === 'Error' ? error.name : type,
    errorMessage: error.message,
    trace: error.stack?.split('\n') ?? [],
  };
}

function captureOutput(log: InstanceLog, requestId: () => string): void {
  for (const [method, level] of [
    ['log', 'INFO'],
    ['info', 'INFO'],
    ['debug', 'DEBUG'],
    ['trace', 'TRACE'],
    ['warn', 'WARN'],
    ['error', 'ERROR'],
  ] as const) {
    console[method] = (...values: unknown[]) => log.console(requestId(), level, values);
  }
  for (const stream of [process.stdout, process.stderr]) {
    stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
      log.write(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8'));
      const callback = rest.at(-1);
      if (typeof callback === 'function') callback();
      return true;
    };
  }
}
