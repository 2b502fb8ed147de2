/** When gaiad is started, stopped and started again: a pure core. */

import type { DesiredGaiad, ReportedGaiad } from '../../protocol/shadows.ts';
import type { Trouble } from '../alerts/plan-alerts.ts';

export interface SupervisionInput {
  run: NonNullable<DesiredGaiad['run']>;
  /** Its configuration files are as they should be; false: why not yet. */
  configuration: true | string;
  process:
    | {
        pid: number;
        /** Monotonic ms since it was started or found. */
        forMs: number;
        /** Stopped by a signal (state T): alive, and doing nothing. */
        frozen: boolean;
        /** It answered its RPC at least once. */
        answered: boolean;
        /** Since it last answered. */
        silentMs: number;
      }
    | undefined;
  /** The signer beside: 'none' where this server has none. */
  signer: 'none' | { up: boolean; downForMs: number };
  /** A file within gaiad's reach that holds the consensus key. */
  keyOnNode: string | undefined;
  /** What a person has to do about that file. */
  keyRemedy: string;
  /** Why the pilot leaves the first start of this node to the operator; undefined: it does not. */
  firstStart: string | undefined;
  /** The running node votes by itself, past Beam's signer: how that shows. */
  selfSigning: string | undefined;
  /** Why the running process must end and another be started. */
  restart: string | undefined;
  memory: SupervisionMemory;
  nowMs: number;
}

export interface SupervisionMemory {
  /** Starts in a row that came to nothing. */
  failures: number;
  /** Monotonic ms of the last start. */
  startedAtMs: number | undefined;
  /** Of the last unexpected end. */
  endedAtMs: number | undefined;
  lastWords: string;
  /** SIGTERM was sent at. */
  terminatedAtMs: number | undefined;
  killed: boolean;
}

export const initialSupervision: SupervisionMemory = {
  failures: 0,
  startedAtMs: undefined,
  endedAtMs: undefined,
  lastWords: '',
  terminatedAtMs: undefined,
  killed: false,
};

export interface SupervisionStepArguments {
  start: Record<never, never>;
  terminate: { pid: number; reason: string };
  kill: { pid: number };
}
export type SupervisionStep = {
  [Name in keyof SupervisionStepArguments]: { action: Name } & SupervisionStepArguments[Name];
}[keyof SupervisionStepArguments];
export type SupervisionExecutors = {
  [Name in keyof SupervisionStepArguments]: (step: SupervisionStepArguments[Name]) => Promise<void>;
};

export const firstBackOffMs = 1_000;
export const backOffMsMax = 30_000;
/** Running for this long, the next end is a new story: it is started again at once. */
export const steadyMs = 60_000;
/** A node writes out its databases before it ends. */
export const stopTimeoutMs = 20_000;
/** The node gives up 3 s after its start without a signer: so it is not started, for this long at most. */
export const signerWaitMsMax = 60_000;
const signerTroubleMs = 5_000;
const silentMsMax = 5_000;
/** A big chain's node replays and opens databases for minutes before its RPC answers. */
const startingMsMax = 10 * 60_000;

/** 0 for the first start after an end, then 1 s, 2 s, 4 s, …. */
export function backOffMs(failures: number): number {
  return failures <= 1 ? 0 : Math.min(backOffMsMax, firstBackOffMs * 2 ** (failures - 2));
}

export function planSupervision(input: SupervisionInput): SupervisionStep | undefined {
  const { process, run, restart, memory, selfSigning, nowMs } = input;
  if (process) {
    const why = selfSigning ?? (run === 'stopped' ? 'the fleet wants it stopped' : undefined) ?? restart;
    if (why === undefined) return undefined;
    if (memory.terminatedAtMs === undefined) return { action: 'terminate', pid: process.pid, reason: why };
    const late = nowMs - memory.terminatedAtMs >= stopTimeoutMs;
    return late && !memory.killed ? { action: 'kill', pid: process.pid } : undefined;
  }
  return mayStart(input) === true ? { action: 'start' } : undefined;
}

/** @returns true, or why not. */
export function mayStart(input: SupervisionInput): true | string {
  const { run, configuration, signer, keyOnNode, firstStart, selfSigning, memory, nowMs } = input;
  if (run === 'stopped') return 'the fleet wants it stopped';
  if (selfSigning !== undefined) return `it signed by itself: ${selfSigning}`;
  if (keyOnNode !== undefined) return `the consensus key lies in ${keyOnNode}`;
  if (firstStart !== undefined) return firstStart;
  if (configuration !== true) return configuration;
  if (signer !== 'none' && !signer.up && signer.downForMs < signerWaitMsMax)
    return 'its signer does not answer';
  const sinceEndMs = nowMs - (memory.endedAtMs ?? Number.NEGATIVE_INFINITY);
  return sinceEndMs >= backOffMs(memory.failures) || `it is started again after a pause`;
}

export function gaiadState({
  process,
  run,
  keyOnNode,
  selfSigning,
  memory,
}: SupervisionInput): ReportedGaiad['state'] {
  if (process) {
    if (process.frozen) return 'unresponsive';
    if (!process.answered) return process.forMs < startingMsMax ? 'starting' : 'unresponsive';
    return process.silentMs < silentMsMax ? 'running' : 'unresponsive';
  }
  if (run === 'stopped') return 'stopped';
  return (keyOnNode ?? selfSigning) !== undefined || memory.failures >= 2 ? 'failed' : 'starting';
}

/** An end that nobody wanted. */
export function ended(memory: SupervisionMemory, lastWords: string, nowMs: number): SupervisionMemory {
  const ranMs = nowMs - (memory.startedAtMs ?? Number.NEGATIVE_INFINITY);
  const failures = ranMs >= steadyMs ? 1 : memory.failures + 1;
  return { ...memory, failures, endedAtMs: nowMs, lastWords, terminatedAtMs: undefined, killed: false };
}

export function started(memory: SupervisionMemory, nowMs: number): SupervisionMemory {
  return { ...memory, startedAtMs: nowMs, terminatedAtMs: undefined, killed: false };
}

export function supervisionTroubles(input: SupervisionInput): Trouble[] {
  const { keyOnNode, keyRemedy, firstStart, selfSigning, signer, process, memory } = input;
  const troubles: Trouble[] = [];
  if (selfSigning !== undefined) {
    troubles.push({
      kind: 'key-on-node',
      severity: 'critical',
      text: `gaiad signs by itself: ${selfSigning}. It is ended; take the consensus key off this server's chain home.`,
    });
  } else if (keyOnNode !== undefined) {
    troubles.push({
      kind: 'key-on-node',
      severity: 'critical',
      text: `The validator's consensus key lies in ${keyOnNode}, where the node could sign with it: gaiad is ${process ? 'not started again' : 'not started'}. ${keyRemedy}`,
    });
  } else if (firstStart !== undefined && !process && input.run === 'running') {
    troubles.push({ kind: 'key-on-node', severity: 'warning', text: `gaiad is not started: ${firstStart}` });
  }
  const state = gaiadState(input);
  const said = memory.lastWords ? ` It last said: ${memory.lastWords}` : '';
  if (state === 'unresponsive') {
    const how = process?.frozen ? 'is stopped by a signal' : 'does not answer its RPC';
    troubles.push({
      kind: 'gaiad-down',
      severity: 'critical',
      text: `gaiad (pid ${process?.pid}) ${how}. Look at logs/gaiad.log; end it, and the pilot starts it again.`,
    });
  } else if (state === 'failed' && (keyOnNode ?? selfSigning) === undefined) {
    troubles.push({
      kind: 'gaiad-down',
      severity: 'critical',
      text: `gaiad ended ${memory.failures} times in a row and is started again with pauses.${said}`,
    });
  } else if (
    !process &&
    input.run === 'running' &&
    signer !== 'none' &&
    !signer.up &&
    signer.downForMs >= signerTroubleMs
  ) {
    troubles.push({
      kind: 'gaiad-down',
      severity: 'critical',
      text: 'gaiad is not started because its signer does not answer: start the signer of this server.',
    });
  }
  return troubles;
}
