/**
 * The Lambda host's main thread. It keeps warm instances (worker threads) of each function, hands each one
 * invocation at a time, and ends an instance that runs over its time: a fresh one takes its place.
 * It ends with the process that started it.
 */
import { mkdirSync } from 'node:fs';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { monotonicMs } from './instance.ts';
import { InstanceLog } from './instance-log.ts';
import type {
  FromHost,
  FromInstance,
  FunctionFailure,
  HostConfiguration,
  HostedFunction,
  InstanceData,
  InvocationOutcome,
  InvocationRequest,
  ToHost,
  ToInstance,
} from './messages.ts';

export function runHost(script: URL): void {
  if (!process.send) throw new Error('The Lambda host is started by the local cloud, not by hand');
  const say = (message: FromHost) => {
    if (process.connected) process.send?.(message);
  };
  const functions = new Map<string, FunctionInstances>();
  let configuration: HostConfiguration | undefined;

  function put(definition: HostedFunction): void {
    if (!configuration) throw new Error('The Lambda host was not configured');
    functions.get(definition.name)?.retire();
    const instances = new FunctionInstances(script, definition, configuration);
    functions.set(definition.name, instances);
    instances.warm();
  }

  process.on('message', (message: ToHost) => {
    switch (message.type) {
      case 'configure':
        configuration = message.configuration;
        mkdirSync(configuration.logDir, { recursive: true });
        for (const definition of configuration.functions) put(definition);
        return say({ type: 'ready' });
      case 'put':
        return put(message.definition);
      case 'remove':
        functions.get(message.name)?.retire();
        functions.delete(message.name);
        return;
      case 'invoke': {
        const { id, ...request } = message;
        const instances = functions.get(request.functionName);
        if (!instances) {
          const errorMessage = `Function not found: ${request.functionName}`;
          const failure = { errorType: 'ResourceNotFoundException', errorMessage };
          return say({ type: 'outcome', id, outcome: { ok: false, failure } });
        }
        void instances.invoke(request).then((outcome) => say({ type: 'outcome', id, outcome }));
      }
    }
  });
  process.on('disconnect', () => process.exit(0));
  // Ctrl-C reaches the whole group; the local cloud decides when its host ends.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => process.exit(0));
}

class FunctionInstances {
  readonly #script: URL;
  readonly #definition: HostedFunction;
  readonly #configuration: HostConfiguration;
  #idle: Instance[] = [];
  /** Another version took its place: what runs may end, nothing stays warm. */
  #retired = false;

  constructor(script: URL, definition: HostedFunction, configuration: HostConfiguration) {
    this.#script = script;
    this.#definition = definition;
    this.#configuration = configuration;
  }

  /** Makes an instance before anybody asks: a failover should not wait for a bundle to load. */
  warm(): void {
    this.#idle.push(this.#make());
  }

  async invoke(request: InvocationRequest): Promise<InvocationOutcome> {
    const warm = this.#idle.pop();
    const instance = warm?.usable ? warm : this.#make();
    const outcome = await instance.invoke(request);
    if (this.#retired) instance.end();
    else if (instance.usable) this.#idle.push(instance);
    // One that could not load would not load now either; the next invocation tries.
    else if (instance.loaded && this.#idle.length === 0) this.warm();
    return outcome;
  }

  retire(): void {
    this.#retired = true;
    for (const instance of this.#idle.splice(0)) instance.end();
  }

  #make(): Instance {
    const { logDir, environment } = this.#configuration;
    const { name, memoryMb } = this.#definition;
    const data: InstanceData = {
      definition: this.#definition,
      logPath: join(logDir, `${name}.log`),
    };
    const worker = new Worker(this.#script, {
      workerData: data,
      env: instanceEnvironment(this.#definition, environment),
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
      stdin: false,
    });
    return new Instance(worker, this.#definition, new InstanceLog(data.logPath));
  }
}

/** Lambda's reserved variables and nothing of this machine's own AWS configuration. */
function instanceEnvironment(
  definition: HostedFunction,
  environment: Record<string, string>,
): NodeJS.ProcessEnv {
  const { name, memoryMb, handler } = definition;
  return {
    PATH: process.env.PATH,
    TZ: ':UTC',
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    AWS_EC2_METADATA_DISABLED: 'true',
    // Lambda runs a Node.js of its own; what this machine has is no news to a function's log.
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    ...environment,
    ...definition.environment,
    _HANDLER: handler,
    LAMBDA_TASK_ROOT: definition.codeDir,
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: 'local',
  };
}

/** Lambda's own limit for loading a function. */
const loadTimeoutMs = 10_000;

class Instance {
  /** False once its thread ended, or is being ended. */
  usable = true;
  loaded = false;
  readonly #worker: Worker;
  readonly #definition: HostedFunction;
  readonly #log: InstanceLog;
  /** Resolves once the bundle is loaded, or never will be. */
  readonly #started: Promise<void>;
  #start: () => void = () => {};
  #failure: FunctionFailure | undefined;
  /** Of the invocation that is under way, or was the last. */
  #requestId = '';
  #settle: ((outcome: InvocationOutcome) => void) | undefined;

  constructor(worker: Worker, definition: HostedFunction, log: InstanceLog) {
    this.#worker = worker;
    this.#definition = definition;
    this.#log = log;
    this.#started = new Promise((resolve) => {
      const timer = setTimeout(() => this.#timedOut('Loading', loadTimeoutMs / 1000), loadTimeoutMs);
      this.#start = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    worker.on('message', (message: FromInstance) => this.#heard(message));
    worker.on('error', (error: unknown) => this.#died(failureOf(error)));
    worker.on('exit', (code) =>
      this.#died({
        errorType: 'Runtime.ExitError',
        errorMessage: `RequestId: ${this.#requestId} Error: Runtime exited ${
          code === 0 ? 'without providing a reason' : `with error: exit status ${code}`
        }`,
      }),
    );
  }

  /** For one that is idle. */
  end(): void {
    this.usable = false;
    void this.#worker.terminate();
  }

  async invoke({ requestId, event }: InvocationRequest): Promise<InvocationOutcome> {
    await this.#started;
    if (this.#failure) return { ok: false, failure: this.#failure };
    this.#requestId = requestId;
    const timeoutMs = this.#definition.timeoutSeconds * 1000;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#timedOut('Task', timeoutMs / 1000), timeoutMs);
      this.#settle = (outcome) => {
        clearTimeout(timer);
        this.#settle = undefined;
        resolve(outcome);
      };
      const message: ToInstance = {
        requestId,
        event: JSON.stringify(event ?? null),
        deadlineMs: monotonicMs() + timeoutMs,
      };
      this.#worker.postMessage(message);
    });
  }

  #heard(message: FromInstance): void {
    if (message.type === 'loaded') {
      this.loaded = true;
      this.#start();
    } else if (message.type === 'load-failed') this.#died(message.failure);
    else if (message.type === 'threw') this.#fail(message.failure);
    else {
      const payload: unknown = message.payload === undefined ? null : JSON.parse(message.payload);
      this.#settle?.({ ok: true, payload });
    }
  }

  #timedOut(what: string, seconds: number): void {
    const why = `${what} timed out after ${seconds.toFixed(2)} seconds`;
    this.#log.line(`${new Date().toISOString()} ${this.#requestId} ${why}`);
    this.#died({
      errorType: 'Sandbox.Timedout',
      errorMessage: `RequestId: ${this.#requestId} Error: ${why}`,
    });
  }

  #died(failure: FunctionFailure): void {
    if (this.usable) {
      this.usable = false;
      this.#failure = failure;
      void this.#worker.terminate();
    }
    this.#start();
    this.#fail(failure);
  }

  #fail(failure: FunctionFailure): void {
    this.#settle?.({ ok: false, failure });
  }
}

function failureOf(error: unknown): FunctionFailure {
  const { name = 'Error', message = String(error), stack = '' } = error as Partial<Error>;
  return { errorType: name, errorMessage: message, trace: stack.split('\n') };
}
