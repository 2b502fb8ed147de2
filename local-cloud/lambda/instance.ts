/** One instance of a function: a worker thread that loads the bundle once and answers one invocation at a time. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
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

export async function runInstance(): Promise<void> {
  const port = parentPort;
  if (!port) throw new Error('An instance runs in a worker thread');
  const { definition, logPath } = workerData as InstanceData;
  const log = new InstanceLog(logPath);
  const say = (message: FromInstance) => port.postMessage(message);
  let requestId = '';
  captureOutput(log, () => requestId);

  let handler: Handler;
  try {
    handler = await loadHandler(definition.codeDir, definition.handler);
  } catch (error) {
    const failure = describeLoading(error);
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
      const failure = describe(error);
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

class HandlerNotFound extends Error {}
class ModuleNotFound extends Error {
  readonly code = 'MODULE_NOT_FOUND';
}

/** Lambda's ways to find a handler: `index.handler` is in index.js, index.mjs or index.cjs. */
async function loadHandler(codeDir: string, name: string): Promise<Handler> {
  const dot = name.lastIndexOf('.');
  const file = ['.js', '.mjs', '.cjs']
    .map((ending) => join(codeDir, `${name.slice(0, dot)}${ending}`))
    .find((path) => existsSync(path));
  if (dot < 1 || file === undefined) throw new ModuleNotFound(`Cannot find module for the handler '${name}'`);
  const module = (
    file.endsWith('.cjs') ? createRequire(import.meta.url)(file) : await import(pathToFileURL(file).href)
  ) as Record<string, unknown>;
  const exportName = name.slice(dot + 1);
  // Of CommonJS behind import() the whole of the exports is the default.
  const whole = module.default as Record<string, unknown> | undefined;
  const handler = module[exportName] ?? whole?.[exportName];
  if (typeof handler !== 'function') {
    throw new HandlerNotFound(
      `${name} is ${handler === undefined ? 'undefined or not exported' : 'not a function'}`,
    );
  }
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

function describe(error: unknown): FunctionFailure {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  return { errorType: error.name, errorMessage: error.message, trace: error.stack?.split('\n') ?? [] };
}

/** As Lambda's own runtime for Node names what kept a handler from being found; what the code throws by itself keeps its name. */
function describeLoading(error: unknown): FunctionFailure {
  const failure = describe(error);
  if (error instanceof HandlerNotFound) return { ...failure, errorType: 'Runtime.HandlerNotFound' };
  if (error instanceof SyntaxError)
    return { ...failure, errorType: 'Runtime.UserCodeSyntaxError', errorMessage: String(error) };
  if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND')
    return { ...failure, errorType: 'Runtime.ImportModuleError', errorMessage: `Error: ${error.message}` };
  return failure;
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
