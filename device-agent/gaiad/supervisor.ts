/**
 * Carries out what the cores plan for gaiad, one step at a time: its configuration first, then the process. Nothing here
 * decides; what is started, stopped and written is in plan-overlay.ts and plan-supervision.ts.
 */

import { join } from 'node:path';
import type { ReportedGaiad } from '../../protocol/shadows.ts';
import type { Trouble } from '../alerts/plan-alerts.ts';
import type { Clock } from '../clock.ts';
import { execute } from '../execute.ts';
import type { Logger } from '../log.ts';
import { type ChainHome, OverlayApplier } from '../overlay/apply-overlay.ts';
import {
  type OverlayEvents,
  OverlayRunner,
  type OverlayView,
  reportedOverlay,
} from '../overlay/overlay-runner.ts';
import { hashOnDisk, type OverlayStore } from '../overlay/overlay-state.ts';
import { socketOf } from '../overlay/pilots-settings.ts';
import { GaiadProcess, type NodeProcess } from './gaiad-process.ts';
import { GaiadUnit } from './gaiad-unit.ts';
import { KeyGuard } from './key-guard.ts';
import { NodeLog } from './node-log.ts';
import type { OwnKey } from './own-key.ts';
import {
  backOffMs,
  ended,
  gaiadState,
  initialSupervision,
  mayStart,
  planSupervision,
  type SupervisionExecutors,
  type SupervisionInput,
  type SupervisionMemory,
  started,
  supervisionTroubles,
} from './plan-supervision.ts';

import type { SupervisorInputs } from './supervisor-inputs.ts';

const turnPeriodMs = 200;
/** Looking through all processes for one that the operator was asked to start. */
const lookForPeriodMs = 2_000;
const logBoundPeriodMs = 30_000;
/** A step that failed is planned again after this. */
const faultPauseMs = 2_000;

/** Who runs gaiad: the pilot itself, by a command, or systemd. */
export type GaiadRuns =
  | { by: 'command'; command: readonly string[]; startArguments: readonly string[] }
  | { by: 'unit'; unit: string };

export interface SupervisorOptions {
  chain: ChainHome & { runs: GaiadRuns };
  /** Other files that the node would read a key from: the signer's own is checked when the configuration names it. */
  keyFiles(): Promise<string[]>;
  /** Where Beam does not sign, and gaiad may by itself. */
  ownKey?: OwnKey | undefined;
  files: { record: string; log: string };
  store: OverlayStore;
  clock: Clock;
  log: Logger;
  inputs(): SupervisorInputs;
}

export interface SupervisorEvents extends OverlayEvents {
  onStarted(pid: number): void;
  onExited(how: string, wanted: boolean, lastWords: string): void;
  onChange(): void;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #events: SupervisorEvents;
  readonly #process: NodeProcess;
  readonly #nodeLog: NodeLog;
  readonly #applier: OverlayApplier;
  readonly #overlay: OverlayRunner;
  readonly #keys: KeyGuard;
  #memory: SupervisionMemory = initialSupervision;
  #firstStart: string | undefined;
  /** A process ran while this pilot was here: the operator's, or one that may be started. */
  #takenOver = false;
  #fault: { text: string; untilMs: number } | undefined;
  /** Of the process that runs: when it was started or found, and the chain's height then. */
  #sinceStart = { atMs: 0, height: 0, frozen: false, answered: false, found: false };
  #timer: NodeJS.Timeout | undefined;
  #turning = false;
  #again = false;
  #stopped = true;
  #ended = false;
  #logBoundAtMs = 0;
  #lookedForAtMs = Number.NEGATIVE_INFINITY;
  #last: SupervisionInput | undefined;

  constructor(options: SupervisorOptions, events: SupervisorEvents) {
    this.#options = options;
    this.#events = events;
    const { chain, files } = options;
    this.#nodeLog = new NodeLog(files.log);
    this.#process = openProcess(chain, files.record, this.#nodeLog, () => this.poke());
    const { store, clock, log, keyFiles } = options;
    this.#applier = new OverlayApplier(chain, store);
    const process = this.#process;
    this.#overlay = new OverlayRunner(
      {
        applier: this.#applier,
        store,
        clock,
        log,
        process: {
          get startedWith() {
            return process.record?.overlay;
          },
          holds: (overlay) => process.holds(overlay),
        },
      },
      {
        onApplied: events.onApplied,
        onRejected: events.onRejected,
        onRolledBack: (state, reason) => {
          // What failed was the configuration: with the last good one it starts without a pause.
          this.#memory = { ...this.#memory, failures: 0, endedAtMs: undefined };
          events.onRolledBack(state, reason);
        },
      },
    );
    const remember = (keyAddress: string) => this.#overlay.note({ keyAddress });
    this.#keys = new KeyGuard({ home: chain.home, keyFiles, clock, log, remember });
  }

  async start(): Promise<void> {
    await this.#overlay.load();
    const found = await this.#process.find(hashOnDisk(this.#overlay.state));
    if (this.#ended) return;
    // Only now: a turn before this pilot has looked for a running gaiad would start a second one.
    this.#stopped = false;
    if (found) {
      this.#options.log.info({ pid: found.pid, startedAt: found.startedAt }, 'found gaiad running');
      this.#begun(true);
    }
    this.poke();
  }

  /** Ends the pilot's watch; gaiad goes on. */
  async stop(): Promise<void> {
    this.#ended = true;
    this.#stopped = true;
    clearTimeout(this.#timer);
    while (this.#turning) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  get reported(): ReportedGaiad {
    const state = this.#last ? gaiadState(this.#last) : this.#fault ? 'failed' : 'starting';
    return { ...reportedOverlay(this.#overlay.state), state };
  }

  get pid(): number | undefined {
    return this.#process.record?.pid;
  }

  /** Why gaiad is not started, where it is not. */
  get waitsFor(): string | undefined {
    if (!this.#last || this.#last.process) return undefined;
    const why = mayStart(this.#last);
    return why === true ? undefined : why;
  }

  troubles(): Trouble[] {
    const troubles = this.#last ? supervisionTroubles(this.#last) : [];
    if (this.#fault && !troubles.some(({ kind }) => kind === 'gaiad-down') && !this.#last?.process) {
      troubles.push({
        kind: 'gaiad-down',
        severity: 'critical',
        text: `gaiad is not started: ${this.#fault.text}`,
      });
    }
    return troubles;
  }

  outsidePeers(): Promise<string[]> {
    return this.#applier.outsidePeers(this.#overlay.state);
  }

  setting(...path: string[]): Promise<unknown> {
    return this.#applier.setting('config.toml', path);
  }

  /** Something changed: a turn now, or right after the one under way. */
  poke(): void {
    if (this.#stopped) return;
    if (this.#turning) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    void this.#turn();
  }

  async #turn(): Promise<void> {
    this.#turning = true;
    do {
      this.#again = false;
      try {
        await this.#oneTurn();
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        if (this.#fault?.text !== text)
          this.#options.log.error({ err: error }, 'gaiad can not be brought to what it should be');
        this.#fault = { text, untilMs: this.#options.clock.monotonicMs() + faultPauseMs };
      }
    } while (this.#again && !this.#stopped);
    this.#turning = false;
    if (this.#stopped) return;
    this.#events.onChange();
    this.#timer = setTimeout(() => this.poke(), turnPeriodMs);
  }

  async #oneTurn(): Promise<void> {
    const { clock, inputs } = this.#options;
    const now = inputs();
    await this.#lookAtProcess(now);
    await this.#lookForKey(now, this.#process.record ? 'running' : 'stopped');
    if (this.#fault && clock.monotonicMs() < this.#fault.untilMs) return;

    if (await this.#overlay.turn(this.#overlayView(now))) this.#again = true;
    this.#last = this.#supervisionInput(now);
    const step = planSupervision(this.#last);
    if (step) {
      await execute(this.#executors, step);
      this.#last = this.#supervisionInput(inputs());
    }
    this.#fault = undefined;
  }

  async #lookAtProcess(now: SupervisorInputs): Promise<void> {
    const { clock, log } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#process.record) {
      const { alive, frozen, how } = await this.#process.look();
      this.#sinceStart.frozen = frozen;
      if (!alive) {
        const wanted = this.#memory.terminatedAtMs !== undefined;
        const lastWords = await this.#nodeLog.lastWords();
        this.#memory = wanted
          ? { ...this.#memory, terminatedAtMs: undefined, killed: false, failures: 0, endedAtMs: undefined }
          : ended(this.#memory, `${how}${lastWords ? `: ${lastWords}` : ''}`, nowMs);
        if (!wanted) this.#overlay.processFailed();
        const pauseMs = wanted ? 0 : backOffMs(this.#memory.failures);
        log[wanted ? 'info' : 'error']({ how, pauseMs, lastWords }, 'gaiad ended');
        this.#events.onExited(how, wanted, lastWords);
      }
    }
    if (this.#process.record && now.node.answered && !this.#sinceStart.answered) {
      this.#sinceStart.answered = true;
      const { ranBefore, startSeconds: before } = this.#overlay.state;
      // Of one that was found the start is not known.
      const startSeconds = this.#sinceStart.found ? before : (nowMs - this.#sinceStart.atMs) / 1000;
      if (!ranBefore || Math.abs(before - startSeconds) > 1) {
        await this.#overlay.note({ ranBefore: true, startSeconds });
      }
    }
    if (nowMs - this.#logBoundAtMs >= logBoundPeriodMs) {
      this.#logBoundAtMs = nowMs;
      await this.#nodeLog.bound(this.#process.record !== undefined);
    }
  }

  async #lookForKey(now: SupervisorInputs, when: 'running' | 'stopped' | 'now'): Promise<void> {
    const { ownKey } = this.#options;
    const { keyAddress, ranBefore } = this.#overlay.state;
    if (!ownKey) {
      const signs = { address: now.address, selfSigning: now.node.selfSigning };
      return this.#keys.look(signs, keyAddress, when);
    }
    const address = await ownKey.enrolledAddress();
    await this.#keys.look({ address, selfSigning: undefined }, address, when);
    this.#takenOver ||= this.#process.record !== undefined;
    this.#firstStart = ranBefore || this.#takenOver ? undefined : await ownKey.firstStart();
    if (this.#firstStart !== undefined) await this.#takeOver();
  }

  /** The operator was asked to start gaiad: once that is done it is the pilot's. */
  async #takeOver(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#lookedForAtMs < lookForPeriodMs) return;
    this.#lookedForAtMs = nowMs;
    const found = await this.#process.find(hashOnDisk(this.#overlay.state));
    if (!found) return;
    this.#options.log.info({ pid: found.pid }, 'found gaiad running');
    this.#firstStart = undefined;
    this.#takenOver = true;
    this.#begun(true);
  }

  #overlayView(now: SupervisorInputs): OverlayView {
    const { answered, height, moves, blockSeconds } = now.node;
    return {
      desired: now.desired,
      chainMoves: moves,
      blockSeconds,
      lastWords: this.#memory.lastWords,
      process: {
        forMs: this.#options.clock.monotonicMs() - this.#sinceStart.atMs,
        answered,
        moved: height > this.#sinceStart.height,
      },
    };
  }

  #supervisionInput(now: SupervisorInputs): SupervisionInput {
    const nowMs = this.#options.clock.monotonicMs();
    const record = this.#process.record;
    const wanted = hashOnDisk(this.#overlay.state);
    const restart = record && record.overlay !== wanted ? 'its configuration has changed' : now.node.stuck;
    return {
      run: now.run,
      configuration: this.#overlay.settled || 'its overlay is awaited from the cloud',
      process: record && {
        pid: record.pid,
        forMs: nowMs - this.#sinceStart.atMs,
        frozen: this.#sinceStart.frozen,
        answered: now.node.answered,
        silentMs: now.node.silentMs,
      },
      signer: now.signer,
      keyOnNode: this.#keys.keyOnNode,
      keyRemedy: this.#options.ownKey?.remedy ?? "Move that file off this server's chain home.",
      firstStart: this.#firstStart,
      selfSigning: this.#keys.selfSigning,
      restart,
      memory: this.#memory,
      nowMs,
    };
  }

  readonly #executors: SupervisionExecutors = {
    start: async () => {
      await this.#lookForKey(this.#options.inputs(), 'now');
      if (this.#keys.keyOnNode !== undefined || this.#firstStart !== undefined) return;
      // Counted before: what can't even be started backs off like what ends at once.
      this.#memory = started(this.#memory, this.#options.clock.monotonicMs());
      try {
        const record = await this.#process.start(hashOnDisk(this.#overlay.state));
        this.#begun(false);
        this.#options.log.info({ pid: record.pid }, 'gaiad started');
        this.#events.onStarted(record.pid);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.#memory = ended(this.#memory, why, this.#options.clock.monotonicMs());
        this.#options.log.error(
          { reason: why, runs: this.#options.chain.runs },
          'gaiad could not be started',
        );
      }
    },
    terminate: async ({ pid, reason }) => {
      this.#options.log.info({ pid, reason }, 'gaiad is told to end');
      this.#memory = { ...this.#memory, terminatedAtMs: this.#options.clock.monotonicMs(), killed: false };
      await this.#process.signal('SIGTERM');
    },
    kill: async ({ pid }) => {
      this.#options.log.warn({ pid }, 'gaiad did not end in time: it is killed');
      this.#memory = { ...this.#memory, killed: true };
      await this.#process.signal('SIGKILL');
    },
  };

  #begun(found: boolean): void {
    const { clock, inputs } = this.#options;
    const { height } = inputs().node;
    this.#sinceStart = { atMs: clock.monotonicMs(), height, frozen: false, answered: false, found };
  }
}

function openProcess(
  { runs, home, signerAddress }: SupervisorOptions['chain'],
  recordFile: string,
  log: NodeLog,
  onExit: () => void,
): NodeProcess {
  const signerSocket = socketOf(signerAddress);
  if (runs.by === 'unit') return new GaiadUnit({ unit: runs.unit, home, recordFile, log, signerSocket });
  const { command, startArguments } = runs;
  return new GaiadProcess({ command, startArguments, home, recordFile, log, signerSocket, onExit });
}

export function keyFileOf(gaiadHome: string, setting: unknown): string | undefined {
  return typeof setting === 'string' && setting !== '' ? join(gaiadHome, setting) : undefined;
}
