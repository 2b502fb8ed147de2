/** The Lambda host's process as its parent sees it: started, started again when it died, ended. */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type {
  FromHost,
  HostConfiguration,
  HostedFunction,
  InvocationOutcome,
  InvocationRequest,
  ToHost,
} from './messages.ts';

/** What became of an invocation: the function's outcome, or none because the host died meanwhile. */
export type HostOutcome = InvocationOutcome | 'host-died';

export interface HostProcessOptions {
  /** `lambda-host.js`. */
  hostPath: string;
  configuration: HostConfiguration;
  /** PEM file that the functions trust besides Node's own authorities. */
  caFile: string;
  log: { warn(details: object, message: string): void };
}

/** Waits between starts of a host that keeps dying. */
const restartDelayMsMax = 5_000;
const restartDelayMsMin = 50;
/** A host that lived this long died of something new. */
const steadyAfterMs = 10_000;
/** Beyond a function's own time-out, before a host that says nothing is killed. */
const silenceMsMax = 15_000;
const startAttemptsMax = 3;
const stopMsMax = 2_000;

export class HostProcess {
  readonly #options: HostProcessOptions;
  #child: ChildProcess | undefined;
  /** The host that takes invocations; undefined once there will be none. */
  #ready: Promise<ChildProcess | undefined>;
  #becameReady: (child: ChildProcess | undefined) => void = () => {};
  #isReady = false;
  #startFailed: (error: Error) => void = () => {};
  #inFlight = new Map<number, (outcome: HostOutcome) => void>();
  #lastId = 0;
  #deaths = 0;
  #stopped = false;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: HostProcessOptions) {
    this.#options = options;
    this.#ready = this.#nextReady();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Resolves once the host takes invocations.
   * @throws where it dies again and again before that
   */
  async start(): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#startFailed = reject;
    });
    this.#spawn();
    await Promise.race([this.#ready, failed]);
  }

  /** Waits for the host where it is being started. */
  async invoke(request: InvocationRequest): Promise<HostOutcome> {
    const child = await this.#ready;
    if (!child) return 'host-died';
    const { configuration } = this.#options;
    const definition = configuration.functions.find(({ name }) => name === request.functionName);
    const silenceMs = (definition?.timeoutSeconds ?? 0) * 1000 + silenceMsMax;
    return new Promise((resolve) => {
      const id = ++this.#lastId;
      const timer = setTimeout(() => {
        this.#options.log.warn(
          { ...request, event: undefined },
          'The Lambda host does not answer: killing it',
        );
        child.kill('SIGKILL');
      }, silenceMs);
      this.#inFlight.set(id, (outcome) => {
        clearTimeout(timer);
        this.#inFlight.delete(id);
        resolve(outcome);
      });
      this.#send(child, { type: 'invoke', id, ...request });
    });
  }

  /** From the next invocation on. */
  put(definition: HostedFunction): void {
    this.#forget(definition.name);
    this.#options.configuration.functions.push(definition);
    if (this.#child) this.#send(this.#child, { type: 'put', definition });
  }

  remove(name: string): void {
    this.#forget(name);
    if (this.#child) this.#send(this.#child, { type: 'remove', name });
  }

  /** A host that is started again gets what is there then. */
  #forget(name: string): void {
    const { configuration } = this.#options;
    configuration.functions = configuration.functions.filter((each) => each.name !== name);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#restart);
    this.#becameReady(undefined);
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
      child.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
      child.kill('SIGTERM');
    });
  }

  #nextReady(): Promise<ChildProcess | undefined> {
    return new Promise((resolve) => {
      this.#becameReady = resolve;
    });
  }

  #spawn(): void {
    const { hostPath, configuration, caFile, log } = this.#options;
    mkdirSync(configuration.logDir, { recursive: true });
    const logPath = join(configuration.logDir, 'lambda-host.log');
    const output = openSync(logPath, 'a');
    const child = fork(hostPath, [], {
      stdio: ['ignore', output, output, 'ipc'],
      env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: caFile },
      execArgv: [],
    });
    closeSync(output);
    const startedAt = performance.now();
    this.#child = child;
    child.on('message', (message: FromHost) => {
      if (message.type === 'ready') {
        this.#isReady = true;
        this.#becameReady(child);
      } else this.#inFlight.get(message.id)?.(message.outcome);
    });
    // 'error' without 'exit': it could not be started at all.
    child.once('error', (error) => log.warn({ err: error, hostPath }, 'The Lambda host failed'));
    child.once('close', (code, signal) => {
      const livedMs = performance.now() - startedAt;
      if (this.#isReady) this.#ready = this.#nextReady();
      this.#isReady = false;
      for (const settle of [...this.#inFlight.values()]) settle('host-died');
      if (this.#stopped) return;
      this.#deaths = livedMs > steadyAfterMs ? 0 : this.#deaths + 1;
      if (this.#deaths >= startAttemptsMax) {
        this.#startFailed(new Error(`The Lambda host does not start; ${logPath} says why`));
      }
      const delayMs =
        this.#deaths <= 1 ? 0 : Math.min(restartDelayMsMax, restartDelayMsMin * 2 ** this.#deaths);
      log.warn({ code, signal, delayMs }, 'The Lambda host ended; starting it again');
      this.#restart = setTimeout(() => this.#spawn(), delayMs);
    });
    this.#send(child, { type: 'configure', configuration });
  }

  /** A host that died answers by its 'close'. */
  #send(child: ChildProcess, message: ToHost): void {
    child.send(message, () => {});
  }
}
