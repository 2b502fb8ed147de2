/** Starts, finds and ends the chain's node: a process of its own session, which outlives the pilot. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../home/error-code.ts';
import type { NodeLog } from './node-log.ts';
import { confirmProcess, findProcess, isAlive, readProcess } from './process-identity.ts';
import { type GaiadRecord, RecordFile } from './record-file.ts';

const exitWaitMs = 500;

/** What the supervisor needs of gaiad's process, whoever runs it. */
export interface NodeProcess {
  readonly record: GaiadRecord | undefined;
  /**
   * Finds a node that runs already.
   * @param overlay what the files hold, for a process that no record tells of.
   */
  find(overlay: string): Promise<GaiadRecord | undefined>;
  /** @returns whether it is alive, and whether a signal has stopped it. */
  look(): Promise<{ alive: boolean; frozen: boolean; how: string }>;
  /** @throws where it can't be started at all. */
  start(overlay: string): Promise<GaiadRecord>;
  /** The files were brought to another overlay without a change that it would notice. */
  holds(overlay: string): Promise<void>;
  signal(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export interface GaiadProcessOptions {
  command: readonly string[];
  startArguments: readonly string[];
  /** Absolute. */
  home: string;
  recordFile: string;
  log: NodeLog;
  /** gaiad's listening end of the signer's socket: a file left over blocks its start. */
  signerSocket: string | undefined;
  onExit(): void;
}

export class GaiadProcess implements NodeProcess {
  readonly #options: GaiadProcessOptions;
  readonly #file: RecordFile;
  /** Of the process that this pilot started itself: how it ended. */
  #exit: Promise<string> | undefined;

  constructor(options: GaiadProcessOptions) {
    this.#options = options;
    this.#file = new RecordFile(options.recordFile);
  }

  get record(): GaiadRecord | undefined {
    return this.#file.record;
  }

  async find(overlay: string): Promise<GaiadRecord | undefined> {
    const { home } = this.#options;
    const recorded = await this.#file.read();
    if (recorded && (await confirmProcess(recorded, home))) this.#file.adopt(recorded);
    else {
      const found = await findProcess(home);
      if (found) await this.#file.write(found, overlay);
      else await this.#file.forget();
    }
    return this.#file.record;
  }

  async look(): Promise<{ alive: boolean; frozen: boolean; how: string }> {
    const { record } = this.#file;
    if (!record) return { alive: false, frozen: false, how: 'it was not started' };
    const found = await readProcess(record.pid);
    const alive = isAlive(found) && found.startTime === record.startTime;
    if (alive) return { alive, frozen: found.state === 'T' || found.state === 't', how: '' };
    // /proc may know of the end some moments before Node tells it.
    const how = await Promise.race([this.#exit, delay(exitWaitMs, undefined, { ref: false })]);
    this.#exit = undefined;
    await this.#file.forget();
    return { alive, frozen: false, how: how ?? 'it is gone' };
  }

  async start(overlay: string): Promise<GaiadRecord> {
    const { command, startArguments, home, log, signerSocket, onExit } = this.#options;
    const [file, ...leading] = command;
    if (file === undefined) throw new Error('gaiad.command is empty');
    if (signerSocket !== undefined) {
      await mkdir(dirname(signerSocket), { recursive: true });
      // CometBFT doesn't remove it, and fails with `address already in use`.
      await rm(signerSocket, { force: true });
    }
    await log.bound(false);
    const output = log.open();
    try {
      const child = spawn(file, [...leading, 'start', '--home', home, ...startArguments], {
        detached: true,
        stdio: ['ignore', output, output],
      });
      this.#exit = new Promise((resolve) => {
        child.on('exit', (code, signal) => {
          resolve(signal ? `killed by ${signal}` : `exit code ${code}`);
          onExit();
        });
      });
      // Rejects on `error`: no such file, not executable.
      await once(child, 'spawn');
      child.unref();
      const started = child.pid === undefined ? undefined : await readProcess(child.pid);
      if (!started) throw new Error('it ended as soon as it was started');
      return await this.#file.write(started, overlay);
    } finally {
      log.release(output);
    }
  }

  async holds(overlay: string): Promise<void> {
    await this.#file.holds(overlay);
  }

  async signal(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { record } = this.#file;
    if (!record) return;
    // SIGTERM to it alone: cosmovisor passes it on. SIGKILL to its session too, where it leads one.
    for (const target of signal === 'SIGKILL' ? [-record.pid, record.pid] : [record.pid]) {
      try {
        process.kill(target, signal);
      } catch (error) {
        const code = errorCode(error);
        if (code !== 'ESRCH') throw error;
      }
    }
  }
}
