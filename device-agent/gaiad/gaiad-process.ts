/** Starts, finds and ends the chain's node: a process of its own session, which outlives the pilot. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { writeFileAtomically } from '../home/atomic-file.ts';
import { errorCode } from '../home/error-code.ts';
import type { NodeLog } from './node-log.ts';
import {
  confirmProcess,
  findProcess,
  isAlive,
  type ProcessIdentity,
  readProcess,
} from './process-identity.ts';

const exitWaitMs = 500;

/** `run/gaiad.json`. */
export const gaiadRecord = z.object({
  pid: z.number().int().positive(),
  startTime: z.string(),
  /** ISO time; of the pilot's find where it did not start it. */
  startedAt: z.string(),
  /** Hash of the overlay in the files that it was started with. */
  overlay: z.string(),
});
export type GaiadRecord = z.infer<typeof gaiadRecord>;

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

export class GaiadProcess {
  readonly #options: GaiadProcessOptions;
  #record: GaiadRecord | undefined;
  /** Of the process that this pilot started itself: how it ended. */
  #exit: Promise<string> | undefined;

  constructor(options: GaiadProcessOptions) {
    this.#options = options;
  }

  get record(): GaiadRecord | undefined {
    return this.#record;
  }

  /**
   * Finds a node that runs already.
   * @param overlay what the files hold, for a process that no record tells of.
   */
  async find(overlay: string): Promise<GaiadRecord | undefined> {
    const { home, recordFile } = this.#options;
    const recorded = await readFile(recordFile, 'utf8')
      .then((text) => gaiadRecord.parse(JSON.parse(text)))
      .catch(() => undefined);
    if (recorded && (await confirmProcess(recorded, home))) this.#record = recorded;
    else {
      const found = await findProcess(home);
      if (found) await this.#write(found, overlay);
      else await this.#forget();
    }
    return this.#record;
  }

  /** @returns whether it is alive, and whether a signal has stopped it. */
  async look(): Promise<{ alive: boolean; frozen: boolean; how: string }> {
    const record = this.#record;
    if (!record) return { alive: false, frozen: false, how: 'it was not started' };
    const found = await readProcess(record.pid);
    const alive = isAlive(found) && found.startTime === record.startTime;
    if (alive) return { alive, frozen: found.state === 'T' || found.state === 't', how: '' };
    // /proc may know of the end some moments before Node tells it.
    const how = await Promise.race([this.#exit, delay(exitWaitMs, undefined, { ref: false })]);
    this.#exit = undefined;
    await this.#forget();
    return { alive, frozen: false, how: how ?? 'it is gone' };
  }

  /** @throws where it can't be started at all. */
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
      return await this.#write(started, overlay);
    } finally {
      log.release(output);
    }
  }

  /** The files were brought to another overlay without a change that it would notice. */
  async holds(overlay: string): Promise<void> {
    if (this.#record) await this.#save({ ...this.#record, overlay });
  }

  signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    const record = this.#record;
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

  async #write({ pid, startTime }: ProcessIdentity, overlay: string): Promise<GaiadRecord> {
    return this.#save({ pid, startTime, startedAt: new Date().toISOString(), overlay });
  }

  async #save(record: GaiadRecord): Promise<GaiadRecord> {
    this.#record = record;
    await mkdir(dirname(this.#options.recordFile), { recursive: true });
    await writeFileAtomically(this.#options.recordFile, `${JSON.stringify(record)}\n`);
    return record;
  }

  async #forget(): Promise<void> {
    this.#record = undefined;
    await rm(this.#options.recordFile, { force: true });
  }
}
