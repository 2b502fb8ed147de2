/** What the local cloud and its Lambda host (a child process) say to each other, over Node's IPC channel as JSON. */

/** A function as the host runs it. */
export interface HostedFunction {
  name: string;
  /** `<file>.<export>`. */
  handler: string;
  /** The unpacked code; another version of it has another folder. */
  codeDir: string;
  timeoutSeconds: number;
  memoryMb: number;
  /** Invocations at a time; others queue in order. */
  concurrency: number;
  environment: Record<string, string>;
}

export interface HostConfiguration {
  /** `<logDir>/<function>.log`. */
  logDir: string;
  functions: HostedFunction[];
  /** Of every function; a function's own comes on top. */
  environment: Record<string, string>;
}

export interface InvocationRequest {
  functionName: string;
  requestId: string;
  event: unknown;
}

/** A function's failure, as Lambda's API shows it. */
export interface FunctionFailure {
  errorType: string;
  errorMessage: string;
  trace?: string[];
}

export type InvocationOutcome = { ok: true; payload: unknown } | { ok: false; failure: FunctionFailure };

export type ToHost =
  | { type: 'configure'; configuration: HostConfiguration }
  /** A function that is new, or in place of the one of its name. */
  | { type: 'put'; definition: HostedFunction }
  | { type: 'remove'; name: string }
  | ({ type: 'invoke'; id: number } & InvocationRequest);
export type FromHost = { type: 'ready' } | { type: 'outcome'; id: number; outcome: InvocationOutcome };

/** Between the host's main thread and an instance's worker thread. Event and payload are JSON text: nothing is shared. */
export interface InstanceData {
  definition: HostedFunction;
  logPath: string;
}
export interface ToInstance {
  requestId: string;
  event: string;
  /** On the process's monotonic clock, ms. */
  deadlineMs: number;
}
export type FromInstance =
  | { type: 'loaded' }
  | { type: 'load-failed'; failure: FunctionFailure }
  | { type: 'returned'; payload: string | undefined }
  | { type: 'threw'; failure: FunctionFailure };
