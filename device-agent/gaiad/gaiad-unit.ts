/**
 * gaiad as a systemd unit: systemd runs it, as a user of its own and within its own bounds, and this pilot tells systemd when.
 * The unit itself never starts by itself: what must hold before gaiad runs (design, invariant 7) only the pilot looks at.
 */

import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { NodeProcess } from './gaiad-process.ts';
import type { NodeLog } from './node-log.ts';
import { findProcess, isAlive, readProcess } from './process-identity.ts';
import { type GaiadRecord, RecordFile } from './record-file.ts';

const run = promisify(execFile);

/** systemd answers in milliseconds; a start waits for the unit's program to be executed. */
const systemctlMsMax = 10_000;
const properties = ['LoadState', 'MainPID', 'ExecMainCode', 'ExecMainStatus', 'Result'] as const;
type UnitState = Partial<Record<(typeof properties)[number], string>>;
/** CLD_* of waitid(2), as ExecMainCode has them. */
const exitedByItself = '1';

export interface GaiadUnitOptions {
  /** `gaiad.service` */
  unit: string;
  /** Absolute. */
  home: string;
  recordFile: string;
  /** The file that the unit's StandardOutput appends to. */
  log: NodeLog;
  /** gaiad's listening end of the signer's socket: a file left over blocks its start. */
  signerSocket: string | undefined;
  systemctl?: readonly string[];
}

export class GaiadUnit implements NodeProcess {
  readonly #options: GaiadUnitOptions;
  readonly #file: RecordFile;

  constructor(options: GaiadUnitOptions) {
    this.#options = options;
    this.#file = new RecordFile(options.recordFile);
  }

  get record(): GaiadRecord | undefined {
    return this.#file.record;
  }

  /** Where systemd can't be asked, none is found: a start of a unit that runs is no second one. */
  async find(overlay: string): Promise<GaiadRecord | undefined> {
    const found = await this.#main().catch(() => undefined);
    const recorded = await this.#file.read();
    if (!found) await this.#file.forget();
    else if (recorded?.pid === found.pid && recorded.startTime === found.startTime)
      this.#file.adopt(recorded);
    else await this.#file.write(found, overlay);
    return this.#file.record;
  }

  async look(): Promise<{ alive: boolean; frozen: boolean; how: string }> {
    const { record } = this.#file;
    if (!record) return { alive: false, frozen: false, how: 'it was not started' };
    const found = await readProcess(record.pid);
    const alive = isAlive(found) && found.startTime === record.startTime;
    if (alive) return { alive, frozen: found.state === 'T' || found.state === 't', how: '' };
    const how = await this.#show().then(describeEnd, () => 'it is gone');
    await this.#file.forget();
    return { alive, frozen: false, how };
  }

  async start(overlay: string): Promise<GaiadRecord> {
    const { unit, home, log, signerSocket } = this.#options;
    const running = await this.#main();
    if (running) return this.#file.write(running, overlay);
    const stray = await findProcess(home);
    if (stray) {
      throw new Error(
        `process ${stray.pid} runs a node on ${home} outside ${unit}: stop it, and the pilot starts the unit`,
      );
    }
    // CometBFT doesn't remove it, and fails with `address already in use`.
    if (signerSocket !== undefined) await rm(signerSocket, { force: true });
    await log.bound(false);
    // Made here, so that it is the pilot's to keep short; systemd would make it root's.
    log.release(log.open());
    await this.#systemctl('start', unit);
    const started = await this.#main();
    if (!started)
      throw new Error(`${unit} ended as soon as it was started: ${describeEnd(await this.#show())}`);
    return this.#file.write(started, overlay);
  }

  async holds(overlay: string): Promise<void> {
    await this.#file.holds(overlay);
  }

  /** By systemd, whose unit then knows that it was meant. SIGKILL goes to all of its processes. */
  async signal(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { unit } = this.#options;
    if (signal === 'SIGTERM') await this.#systemctl('stop', '--no-block', unit);
    else await this.#systemctl('kill', '--signal=SIGKILL', unit);
  }

  /** The unit's main process, where it has one. @throws where there is no such unit, or no systemd to ask */
  async #main(): Promise<{ pid: number; startTime: string } | undefined> {
    const { unit } = this.#options;
    const { LoadState, MainPID } = await this.#show();
    if (LoadState !== 'loaded') {
      throw new Error(
        `systemd says of ${unit}: ${LoadState ?? 'nothing'}. Install Beam's package, or correct gaiad.unit in config.toml`,
      );
    }
    const pid = Number(MainPID);
    if (!(pid > 0)) return undefined;
    const found = await readProcess(pid);
    return isAlive(found) ? { pid, startTime: found.startTime } : undefined;
  }

  async #show(): Promise<UnitState> {
    const { unit } = this.#options;
    const text = await this.#systemctl('show', unit, `--property=${properties.join(',')}`);
    return Object.fromEntries(
      text.split('\n').flatMap((line) => {
        const at = line.indexOf('=');
        const name = properties.find((known) => known === line.slice(0, at));
        return name ? [[name, line.slice(at + 1)]] : [];
      }),
    );
  }

  async #systemctl(...words: string[]): Promise<string> {
    const [file = 'systemctl', ...leading] = this.#options.systemctl ?? ['systemctl', '--no-ask-password'];
    try {
      const { stdout } = await run(file, [...leading, ...words], { timeout: systemctlMsMax });
      return stdout;
    } catch (error) {
      const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
      throw new Error(`systemctl ${words.join(' ')} failed: ${said || String(error)}`, { cause: error });
    }
  }
}

function describeEnd({ ExecMainCode, ExecMainStatus, Result }: UnitState): string {
  if (ExecMainStatus === undefined || ExecMainCode === undefined) return 'it is gone';
  const how =
    ExecMainCode === exitedByItself ? `exit code ${ExecMainStatus}` : `killed by signal ${ExecMainStatus}`;
  return Result === undefined || Result === 'success' || Result === 'exit-code' || Result === 'signal'
    ? how
    : `${how} (${Result})`;
}
