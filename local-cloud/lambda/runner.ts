/**
 * Runs functions: asynchronous and waiting invocations, queued in order a function. The functions themselves run in the
 * Lambda host (host.ts), a process of its own.
 */
import { randomUUID } from 'node:crypto';
import { HostProcess } from './host-process.ts';
import type { FunctionFailure, HostedFunction } from './messages.ts';
import type { LambdaEventRecord } from './records.ts';

/** A function with what becomes of its asynchronous events. */
export interface RunnableFunction extends HostedFunction {
  /** After a failure; Lambda: 0 to 2. */
  retriesMax: number;
  eventAgeSecondsMax: number;
  /** Of a queue or a topic, for events that failed for the last time. */
  deadLetterArn?: string;
}

/** Events that must outlive this process, by request id. */
export interface EventShelf {
  put(record: LambdaEventRecord): Promise<void>;
  remove(requestId: string): Promise<void>;
  all(): LambdaEventRecord[];
}

export interface DeadLetter {
  functionName: string;
  requestId: string;
  event: unknown;
  errorMessage: string;
}

export interface LambdaRunnerOptions {
  functions: RunnableFunction[];
  /** Of every function: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL_DYNAMODB, … */
  environment: Record<string, string>;
  /** PEM file of the authority that signed the local endpoints' certificate. */
  caFile: string;
  /** Each function's output goes to `<logDir>/<function>.log`. */
  logDir: string;
  /** `lambda-host.js`. */
  hostPath: string;
  shelf: EventShelf;
  /** @throws where the queue or topic does not take it */
  deadLetter(arn: string, letter: DeadLetter): Promise<unknown>;
  log: { warn(details: object, message: string): void; error(details: object, message: string): void };
  nowMs?: () => number;
  /** Waits before the second and third attempt of a failed asynchronous invocation; AWS waits one and two minutes. */
  retryDelaysMs?: readonly number[];
}

export interface LambdaRunner {
  /** Resolves once functions can be invoked. Goes on with the events that an earlier run left. */
  start(): Promise<void>;
  /** From the next invocation on. */
  put(definition: RunnableFunction): void;
  remove(name: string): void;
  /**
   * Queues an invocation. Resolves once it is on disk, where it stays until the function did it: it is done at least once. Its first
   * try does not wait for the disk.
   * @throws UnknownFunctionError, FunctionQueueFullError, TypeError where the event is over Lambda's limit
   */
  invokeAsync(functionName: string, event: unknown): Promise<{ requestId: string }>;
  /**
   * Waits for the function's answer.
   * @throws FunctionError where the function failed, UnknownFunctionError, FunctionQueueFullError
   */
  invoke(functionName: string, event: unknown, requestId?: string): Promise<unknown>;
  /** Ends the host. */
  stop(): Promise<void>;
}

export class UnknownFunctionError extends Error {
  constructor(functionName: string) {
    super(`Function not found: ${functionName}`);
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
/** Lambda's limit of an asynchronous event: 1 MB. */
export const eventBytesMax = 1_048_576;
const retryDelaysMsDefault = [60_000, 120_000] as const;
/** Of a dead letter's error message. */
const errorCharsMax = 1_024;

interface Invocation {
  requestId: string;
  event: unknown;
  attempts: number;
  acceptedAtMs: number;
  /** A caller that waits; without one it is asynchronous: on the shelf, and tried again. */
  waiter?: { resolve(payload: unknown): void; reject(error: unknown): void };
}

interface FunctionQueue {
  definition: RunnableFunction;
  waiting: Invocation[];
  running: number;
  retries: Set<NodeJS.Timeout>;
}

export function createLambdaRunner(options: LambdaRunnerOptions): LambdaRunner {
  const { functions, environment, caFile, logDir, hostPath, shelf, log } = options;
  const nowMs = options.nowMs ?? Date.now;
  const retryDelaysMs = options.retryDelaysMs ?? retryDelaysMsDefault;
  const queues = new Map<string, FunctionQueue>(
    functions.map((definition) => [definition.name, newQueue(definition)]),
  );
  const host = new HostProcess({
    hostPath,
    caFile,
    log,
    configuration: { logDir, functions: [...functions], environment },
  });
  let stopped = false;
  /** Changes of the shelf that are not on disk yet. */
  const writes = new Set<Promise<void>>();

  function queueOf(functionName: string): FunctionQueue {
    const queue = queues.get(functionName);
    if (!queue) throw new UnknownFunctionError(functionName);
    if (stopped) throw new Error('The local cloud is ending');
    if (queue.waiting.length + queue.retries.size >= queuedMax)
      throw new FunctionQueueFullError(functionName);
    return queue;
  }

  function enqueue(queue: FunctionQueue, invocation: Invocation): void {
    queue.waiting.push(invocation);
    dispatch(queue);
  }

  function dispatch(queue: FunctionQueue): void {
    while (!stopped && queue.running < queue.definition.concurrency) {
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
    if (!waiter && isTooOld(queue, invocation, 0)) {
      const errorMessage = 'The event is older than the function takes';
      const failure = { errorType: 'EventAgeExceeded', errorMessage };
      return giveUp(queue, invocation, failure, { functionName, requestId, ...failure });
    }
    invocation.attempts++;
    const outcome = await host.invoke({ functionName, requestId, event });
    if (outcome !== 'host-died' && outcome.ok) {
      if (waiter) waiter.resolve(outcome.payload);
      else unshelve(requestId);
      return;
    }
    const failure: FunctionFailure =
      outcome === 'host-died'
        ? {
            errorType: 'Sandbox.Crashed',
            errorMessage: `RequestId: ${requestId} The Lambda host ended meanwhile`,
          }
        : outcome.failure;
    if (waiter) waiter.reject(new FunctionError(functionName, failure));
    // A host that died says nothing against the function: no need to wait.
    else if (!stopped) await failed(queue, invocation, failure, outcome === 'host-died' ? 0 : undefined);
  }

  async function failed(
    queue: FunctionQueue,
    invocation: Invocation,
    failure: FunctionFailure,
    delayMs = retryDelaysMs[invocation.attempts - 1] ?? 0,
  ): Promise<void> {
    const { name, retriesMax } = queue.definition;
    const { requestId, attempts, acceptedAtMs, event } = invocation;
    const details = { functionName: name, requestId, attempt: attempts, ...failure, trace: undefined };
    if (attempts > retriesMax || isTooOld(queue, invocation, delayMs))
      return giveUp(queue, invocation, failure, details);
    log.warn(details, 'A function failed on an event; it will be tried again');
    const dueAtMs = nowMs() + delayMs;
    note(shelf.put({ functionName: name, requestId, event, attempts, acceptedAtMs, dueAtMs }));
    later(queue, invocation, delayMs);
  }

  function isTooOld({ definition }: FunctionQueue, { acceptedAtMs }: Invocation, delayMs: number): boolean {
    return nowMs() + delayMs > acceptedAtMs + definition.eventAgeSecondsMax * 1000;
  }

  async function giveUp(
    queue: FunctionQueue,
    { requestId, event }: Invocation,
    failure: FunctionFailure,
    details: object,
  ): Promise<void> {
    const { name, deadLetterArn } = queue.definition;
    if (deadLetterArn === undefined) {
      log.error(details, 'A function failed on an event for the last time; the event is dropped');
    } else {
      const errorMessage = failure.errorMessage.slice(0, errorCharsMax);
      try {
        await options.deadLetter(deadLetterArn, { functionName: name, requestId, event, errorMessage });
        log.error(
          { ...details, deadLetterArn },
          'A function failed on an event for the last time; it is a dead letter',
        );
      } catch (error) {
        log.error(
          { ...details, deadLetterArn, err: error },
          'A dead letter was not taken; the event is dropped',
        );
      }
    }
    unshelve(requestId);
  }

  function later(queue: FunctionQueue, invocation: Invocation, delayMs: number): void {
    const timer = setTimeout(() => {
      queue.retries.delete(timer);
      // The function may have been replaced meanwhile, or removed.
      const now = queues.get(queue.definition.name);
      if (now) enqueue(now, invocation);
      else unshelve(invocation.requestId);
    }, delayMs);
    queue.retries.add(timer);
  }

  /** Nobody waits for it: the writes are done in their order, and what is lost of them costs a repetition. */
  function note(write: Promise<void>): void {
    const settled = write
      .catch((error: unknown) => {
        if (!stopped) log.error({ err: error }, 'An event could not be noted on disk');
      })
      .finally(() => writes.delete(settled));
    writes.add(settled);
  }

  const unshelve = (requestId: string) => note(shelf.remove(requestId));

  function goOn(record: LambdaEventRecord): void {
    const { functionName, requestId, event, attempts, acceptedAtMs, dueAtMs } = record;
    const queue = queues.get(functionName);
    if (!queue) {
      log.warn({ functionName, requestId }, 'An event waits for a function that is gone; it is dropped');
      unshelve(requestId);
      return;
    }
    const delayMs = Math.min(retryDelaysMs.at(-1) ?? 0, Math.max(0, dueAtMs - nowMs()));
    later(queue, { requestId, event, attempts, acceptedAtMs }, delayMs);
  }

  return {
    async start() {
      await host.start();
      for (const record of shelf.all()) goOn(record);
    },
    put(definition) {
      const queue = queues.get(definition.name);
      if (queue) queue.definition = definition;
      else queues.set(definition.name, newQueue(definition));
      host.put(definition);
      dispatch(queues.get(definition.name) ?? newQueue(definition));
    },
    remove(name) {
      const queue = queues.get(name);
      queues.delete(name);
      host.remove(name);
      for (const { waiter, requestId } of queue?.waiting.splice(0) ?? []) {
        if (waiter) waiter.reject(new UnknownFunctionError(name));
        else unshelve(requestId);
      }
    },
    async invokeAsync(functionName, event) {
      const bytes = Buffer.byteLength(JSON.stringify(event ?? null));
      if (bytes > eventBytesMax) {
        throw new TypeError(
          `An event of ${bytes} bytes for ${functionName}: Lambda takes ${eventBytesMax} at most`,
        );
      }
      const queue = queueOf(functionName);
      const requestId = randomUUID();
      const acceptedAtMs = nowMs();
      const invocation = { requestId, event, attempts: 0, acceptedAtMs };
      const stored = shelf.put({ functionName, ...invocation, dueAtMs: acceptedAtMs });
      if (queue.definition.concurrency === 0) {
        await stored;
        const failure = { errorType: 'TooManyRequestsException', errorMessage: 'Rate exceeded' };
        await giveUp(queue, invocation, failure, { functionName, requestId, ...failure });
        return { requestId };
      }
      enqueue(queue, invocation);
      try {
        await stored;
      } catch (error) {
        // Not accepted, so not done either, where that can still be helped.
        queue.waiting = queue.waiting.filter((waiting) => waiting !== invocation);
        throw error;
      }
      return { requestId };
    },
    async invoke(functionName, event, requestId = randomUUID()) {
      return new Promise((resolve, reject) => {
        const waiter = { resolve, reject };
        const invocation = { requestId, event, attempts: 0, acceptedAtMs: nowMs(), waiter };
        enqueue(queueOf(functionName), invocation);
      });
    },
    async stop() {
      stopped = true;
      for (const queue of queues.values()) {
        for (const timer of queue.retries) clearTimeout(timer);
        queue.retries.clear();
        for (const { waiter } of queue.waiting.splice(0))
          waiter?.reject(new Error('The local cloud is ending'));
      }
      await host.stop();
      await Promise.all(writes);
    },
  };
}

function newQueue(definition: RunnableFunction): FunctionQueue {
  return { definition, waiting: [], running: 0, retries: new Set() };
}
