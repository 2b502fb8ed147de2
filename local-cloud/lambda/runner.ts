/**
 * Lambda on the local cloud: asynchronous and waiting invocations, queued in order a function, and schedules.
 * The functions themselves run in the Lambda host (host.ts), a process of its own.
 */
import { randomUUID } from 'node:crypto';
import {
  type LambdaFunction,
  type LambdaManifest,
  type LambdaSchedule,
  rateMs,
  scheduleEvent,
} from '../../protocol/manifest.ts';
import { HostProcess } from './host-process.ts';
import type { FunctionFailure } from './messages.ts';

export interface LambdaRunnerOptions {
  /** Folder that holds `lambdas/<name>/index.cjs`. */
  bundlesDir: string;
  manifest: LambdaManifest;
  /** Of every function: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL_DYNAMODB, … */
  environment: Record<string, string>;
  /** PEM file of the authority that signed the local endpoints' certificate. */
  caFile: string;
  /** Each function's output goes to `<logDir>/<function>.log`. */
  logDir: string;
  /** `lambda-host.js`. */
  hostPath: string;
  log: { warn(details: object, message: string): void; error(details: object, message: string): void };
  /** Waits before the second and third attempt of a failed asynchronous invocation; AWS waits one and two minutes. */
  retryDelaysMs?: readonly number[];
}

export interface LambdaRunner {
  /** Resolves once functions can be invoked. */
  start(): Promise<void>;
  /**
   * Queues an invocation, tried up to three times. Resolves as soon as it is queued.
   * @throws UnknownFunctionError, FunctionQueueFullError, TypeError where the event is over Lambda's limit
   */
  invokeAsync(functionName: string, event: unknown): Promise<{ requestId: string }>;
  /**
   * Waits for the function's answer.
   * @throws FunctionError where the function failed, UnknownFunctionError, FunctionQueueFullError
   */
  invoke(functionName: string, event: unknown): Promise<unknown>;
  /** Ends the host; what waits is dropped. */
  stop(): Promise<void>;
}

export class UnknownFunctionError extends Error {
  constructor(functionName: string) {
    super(`Function not found: ${functionName}; lambdas/manifest.json lists those that there are`);
    this.name = 'UnknownFunctionError';
  }
}

export class FunctionQueueFullError extends Error {
  constructor(functionName: string) {
    super(`${queuedMax} invocations of ${functionName} wait already: it is too slow for what comes`);
    this.name = 'FunctionQueueFullError';
  }
}

/** The function threw, timed out, or ended. */
export class FunctionError extends Error {
  readonly failure: FunctionFailure;
  constructor(functionName: string, failure: FunctionFailure) {
    super(`Function ${functionName} failed: ${failure.errorType}: ${failure.errorMessage}`);
    this.name = 'FunctionError';
    this.failure = failure;
  }
}

/** Waiting invocations a function, those that wait to be tried again included. */
const queuedMax = 1_000;
/** Lambda's limit of an asynchronous event before 2025, bytes. */
const eventBytesMax = 262_144;
const attemptsMax = 3;
const retryDelaysMsDefault = [60_000, 120_000] as const;

interface Invocation {
  requestId: string;
  event: unknown;
  attempts: number;
  /** A caller that waits; without one it is asynchronous, and tried again. */
  waiter?: { resolve(payload: unknown): void; reject(error: unknown): void };
}

interface FunctionQueue {
  definition: LambdaFunction;
  waiting: Invocation[];
  running: number;
  retries: Set<NodeJS.Timeout>;
}

/** @throws where a schedule is not one that the local cloud has. */
export function createLambdaRunner(options: LambdaRunnerOptions): LambdaRunner {
  const { bundlesDir, manifest, environment, caFile, logDir, hostPath, log } = options;
  const retryDelaysMs = options.retryDelaysMs ?? retryDelaysMsDefault;
  const queues = new Map<string, FunctionQueue>(
    manifest.functions.map((definition) => [
      definition.name,
      { definition, waiting: [], running: 0, retries: new Set() },
    ]),
  );
  const host = new HostProcess({
    hostPath,
    caFile,
    log,
    configuration: { bundlesDir, logDir, functions: manifest.functions, environment },
  });
  const schedules = manifest.functions.flatMap(({ name, schedules }) =>
    schedules.map((schedule) => ({ functionName: name, schedule, periodMs: periodOf(schedule) })),
  );
  const timers: NodeJS.Timeout[] = [];
  let stopped = false;

  function enqueue(functionName: string, invocation: Invocation): void {
    const queue = queues.get(functionName);
    if (!queue) throw new UnknownFunctionError(functionName);
    if (stopped) throw new Error('The local cloud is ending');
    if (queue.waiting.length + queue.retries.size >= queuedMax)
      throw new FunctionQueueFullError(functionName);
    queue.waiting.push(invocation);
    dispatch(queue);
  }

  function dispatch(queue: FunctionQueue): void {
    while (!stopped && queue.running < queue.definition.reservedConcurrency) {
      const invocation = queue.waiting.shift();
      if (!invocation) return;
      queue.running++;
      void run(queue, invocation).finally(() => {
        queue.running--;
        dispatch(queue);
      });
    }
  }

  async function run(queue: FunctionQueue, invocation: Invocation): Promise<void> {
    const functionName = queue.definition.name;
    const { requestId, event, waiter } = invocation;
    invocation.attempts++;
    const outcome = await host.invoke({ functionName, requestId, event });
    if (outcome !== 'host-died' && outcome.ok) {
      waiter?.resolve(outcome.payload);
      return;
    }
    const failure: FunctionFailure =
      outcome === 'host-died'
        ? {
            errorType: 'Sandbox.Crashed',
            errorMessage: `RequestId: ${requestId} The Lambda host ended meanwhile`,
          }
        : outcome.failure;
    const details = { functionName, requestId, attempt: invocation.attempts, ...failure, trace: undefined };
    if (waiter) waiter.reject(new FunctionError(functionName, failure));
    else if (stopped) return;
    else if (invocation.attempts >= attemptsMax) {
      log.error(details, 'A function failed on an event for the last time; the event is dropped');
    } else {
      log.warn(details, 'A function failed on an event; it will be tried again');
      // A host that died says nothing against the function: no need to wait.
      const delayMs = outcome === 'host-died' ? 0 : (retryDelaysMs[invocation.attempts - 1] ?? 0);
      const timer = setTimeout(() => {
        queue.retries.delete(timer);
        queue.waiting.push(invocation);
        dispatch(queue);
      }, delayMs);
      queue.retries.add(timer);
    }
  }

  async function invokeAsync(functionName: string, event: unknown): Promise<{ requestId: string }> {
    const bytes = Buffer.byteLength(JSON.stringify(event ?? null));
    if (bytes > eventBytesMax) {
      throw new TypeError(
        `An event of ${bytes} bytes for ${functionName}: Lambda takes ${eventBytesMax} at most`,
      );
    }
    const requestId = randomUUID();
    enqueue(functionName, { requestId, event, attempts: 0 });
    return { requestId };
  }

  return {
    async start() {
      await host.start();
      for (const { functionName, schedule, periodMs } of schedules) {
        const fire = () =>
          invokeAsync(functionName, scheduleEvent(schedule)).catch((error: unknown) =>
            log.error({ err: error, schedule: schedule.name }, 'A schedule could not invoke its function'),
          );
        timers.push(setInterval(fire, periodMs));
      }
    },
    invokeAsync,
    async invoke(functionName, event) {
      return new Promise((resolve, reject) => {
        enqueue(functionName, { requestId: randomUUID(), event, attempts: 0, waiter: { resolve, reject } });
      });
    },
    async stop() {
      stopped = true;
      for (const timer of timers) clearInterval(timer);
      for (const queue of queues.values()) {
        for (const timer of queue.retries) clearTimeout(timer);
        queue.retries.clear();
        for (const { waiter } of queue.waiting.splice(0))
          waiter?.reject(new Error('The local cloud is ending'));
      }
      await host.stop();
    },
  };
}

/** Node's timers take no more. */
const periodMsMax = 2 ** 31 - 1;

function periodOf({ name, expression }: LambdaSchedule): number {
  const periodMs = rateMs(expression);
  if (periodMs !== undefined && periodMs <= periodMsMax) return periodMs;
  throw new Error(`Schedule ${name}: the local cloud has no ${expression}; rate(24 days) is its longest`);
}
