/**
 * Keeps processes running, as systemd would on a server: what dies is started again (restart-policy.ts), until it
 * is held or stopped. Each child leads a process group of its own, so that a terminal's Ctrl-C reaches the runner
 * alone, which then ends them in order. Children are written down with their start times: a runner that was killed
 * leaves a list from which the next one ends what is left.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import {
  endProcess,
  identityOf,
  type ProcessIdentity,
  processIdentity,
  signalProcess,
  waitForEnd,
} from './process-identity.ts';
import { planRestart } from './restart-policy.ts';

export interface ProcessSpec {
  name: string;
  command: readonly string[];
  cwd: string;
  /** Added to this process's own environment. */
  env?: Record<string, string>;
  /** Receives stdout and stderr. */
  logFile: string;
  /** Receives stdout instead, from the beginning at each start. */
  stdoutFile?: string;
}

export type RunnerEvent =
  | { type: 'started'; name: string; pid: number; restarts: number }
  | { type: 'ended'; name: string; pid: number; how: string; ranMs: number; restartInMs?: number }
  | { type: 'failed'; name: string; reason: string; restartInMs: number };

interface Entry {
  spec: ProcessSpec;
  child?: ChildProcess | undefined;
  identity?: ProcessIdentity | undefined;
  restarts: number;
  startedAtMs: number;
  /** Not started again while true. */
  held: boolean;
  timer?: NodeJS.Timeout | undefined;
}

/** A log larger than this at a start is put aside as `<log>.1`, over the one before. */
const logBytesMax = 16 * 1024 * 1024;
const graceMsDefault = 8_000;

const writtenChildren = z.array(z.object({ name: z.string(), identity: processIdentity }));

export class Runner {
  readonly #entries = new Map<string, Entry>();
  readonly #listFile: string;
  readonly #onEvent: (event: RunnerEvent) => void;
  #stopping = false;

  /** @param listFile where the running children are written down */
  constructor(listFile: string, onEvent: (event: RunnerEvent) => void) {
    this.#listFile = listFile;
    this.#onEvent = onEvent;
  }

  /** Ends what a former runner, killed before it could, left running. @returns their names. */
  async endLeftovers(): Promise<string[]> {
    const left = readChildren(this.#listFile);
    const ended = await Promise.all(
      left.map(async ({ name, identity }) => {
        if (!signalProcess(identity, 'SIGTERM')) return [];
        await endProcess(identity, graceMsDefault);
        return [name];
      }),
    );
    return ended.flat();
  }

  start(spec: ProcessSpec): void {
    if (this.#entries.has(spec.name)) throw new Error(`${spec.name} is started already`);
    const entry: Entry = { spec, restarts: 0, startedAtMs: 0, held: false };
    this.#entries.set(spec.name, entry);
    this.#launch(entry);
  }

  /** Not started again when it dies, until `release`. */
  hold(name: string): void {
    const entry = this.#entry(name);
    entry.held = true;
    clearTimeout(entry.timer);
    entry.timer = undefined;
  }

  /** Started at once if it does not run. */
  release(name: string): void {
    const entry = this.#entry(name);
    entry.held = false;
    entry.restarts = 0;
    if (!entry.child && !entry.timer) this.#launch(entry);
  }

  /** @returns undefined while it does not run. */
  identity(name: string): ProcessIdentity | undefined {
    return this.#entries.get(name)?.identity;
  }

  /** How often in a row it was started again, since its last steady run. */
  restarts(name: string): number {
    return this.#entry(name).restarts;
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Ends a process for good: SIGTERM, then after `graceMs` SIGKILL. */
  async stop(name: string, graceMs = graceMsDefault): Promise<void> {
    const entry = this.#entry(name);
    this.hold(name);
    const { identity, child } = entry;
    if (identity) await endProcess(identity, graceMs);
    await exitTold(entry, child);
    this.#entries.delete(name);
    this.#write();
  }

  /** Ends all, those of each group at once, group after group; what is in no group goes last. */
  async stopAll(groups: readonly (readonly string[])[] = [], graceMs = graceMsDefault): Promise<void> {
    this.#stopping = true;
    for (const name of this.names()) this.hold(name);
    const named = new Set(groups.flat());
    for (const group of [...groups, this.names().filter((name) => !named.has(name))]) {
      await this.stopGroup(group, graceMs);
    }
  }

  /** Ends those of them that were started, at once. */
  async stopGroup(names: readonly string[], graceMs = graceMsDefault): Promise<void> {
    await Promise.all(
      names.filter((name) => this.#entries.has(name)).map((name) => this.stop(name, graceMs)),
    );
  }

  /** For a runner that is being killed itself: SIGKILL to all, nothing awaited. */
  killAllNow(): void {
    this.#stopping = true;
    for (const { identity, timer } of this.#entries.values()) {
      clearTimeout(timer);
      if (identity) signalProcess(identity, 'SIGKILL');
    }
  }

  async kill(name: string, timeoutMs = graceMsDefault): Promise<void> {
    const entry = this.#entry(name);
    const { identity, child } = entry;
    if (!identity || !signalProcess(identity, 'SIGKILL')) return;
    if (await waitForEnd(identity, timeoutMs)) await exitTold(entry, child);
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (!entry) throw new Error(`the runner knows no process ${name}`);
    return entry;
  }

  #launch(entry: Entry): void {
    if (this.#stopping) return;
    const { spec } = entry;
    const [file, ...args] = spec.command;
    if (file === undefined) throw new Error(`${spec.name} has no command`);
    mkdirSync(dirname(spec.logFile), { recursive: true });
    putLargeLogAside(spec.logFile);
    const log = openSync(spec.logFile, 'a', 0o600);
    const out = spec.stdoutFile === undefined ? log : openSync(spec.stdoutFile, 'w', 0o600);
    entry.startedAtMs = performance.now();
    const child = spawn(file, args, {
      cwd: spec.cwd,
      env: { ...process.env, ...spec.env },
      stdio: ['ignore', out, log],
      detached: true,
    });
    for (const file of new Set([out, log])) closeSync(file);
    entry.child = child;
    // A child that ended before it could be looked up has no identity; its exit is told below all the same.
    entry.identity = child.pid === undefined ? undefined : identityOf(child.pid);
    child.once('error', (error) => {
      if (child.pid !== undefined) return;
      this.#ended(entry, (delayMs) => ({
        type: 'failed',
        name: spec.name,
        reason: error.message,
        restartInMs: delayMs ?? 0,
      }));
    });
    child.once('exit', (code, signal) => {
      const ranMs = performance.now() - entry.startedAtMs;
      this.#ended(entry, (delayMs) => ({
        type: 'ended',
        name: spec.name,
        pid: child.pid ?? 0,
        how: signal ?? `exit ${code}`,
        ranMs,
        ...(delayMs !== undefined && { restartInMs: delayMs }),
      }));
    });
    if (child.pid === undefined) return;
    this.#write();
    this.#onEvent({ type: 'started', name: spec.name, pid: child.pid, restarts: entry.restarts });
  }

  #ended(entry: Entry, event: (delayMs: number | undefined) => RunnerEvent): void {
    entry.child = undefined;
    entry.identity = undefined;
    const ranMs = performance.now() - entry.startedAtMs;
    let delayMs: number | undefined;
    if (!entry.held && !this.#stopping) {
      const plan = planRestart({ ranMs, restarts: entry.restarts });
      entry.restarts = plan.restarts;
      delayMs = plan.delayMs;
      entry.timer = setTimeout(() => {
        entry.timer = undefined;
        this.#launch(entry);
      }, delayMs);
    }
    this.#write();
    this.#onEvent(event(delayMs));
  }

  #write(): void {
    const children = [...this.#entries].flatMap(([name, { identity }]) =>
      identity ? [{ name, identity }] : [],
    );
    mkdirSync(dirname(this.#listFile), { recursive: true });
    writeFileSync(`${this.#listFile}.tmp`, JSON.stringify(children), { mode: 0o600 });
    renameSync(`${this.#listFile}.tmp`, this.#listFile);
  }
}

/** A process that is gone by the system's table may not have been told to Node yet; or its successor runs already. */
async function exitTold(entry: Entry, child: ChildProcess | undefined): Promise<void> {
  if (child?.pid !== undefined && entry.child === child) await once(child, 'exit');
}

function readChildren(file: string): z.infer<typeof writtenChildren> {
  try {
    return writtenChildren.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // None written, or cut off: there is nothing to go by.
    return [];
  }
}

function putLargeLogAside(file: string): void {
  try {
    if (statSync(file).size > logBytesMax) renameSync(file, `${file}.1`);
  } catch {
    // No log yet.
  }
}
