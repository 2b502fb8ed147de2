/**
 * Carries out what the cores plan for gaiad, one step at a time: its configuration first, then the process. Nothing here
 * decides; what is started, stopped and written is in plan-overlay.ts and plan-supervision.ts.
 */

import { join } from 'node:path';
import type { ReportedGaiad } from '../../protocol/shadows.ts';
import type { Trouble } from '../alerts/plan-alerts.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type Applied, type ChainHome, OverlayApplier } from '../overlay/apply-overlay.ts';
import {
  type GaiadState,
  hashOnDisk,
  initialGaiadState,
  type OverlayStore,
} from '../overlay/overlay-state.ts';
import {
  type OverlayExecutors,
  type OverlayInput,
  type OverlayStep,
  planOverlay,
} from '../overlay/plan-overlay.ts';
import { findConsensusKey } from './consensus-keys.ts';
import { GaiadProcess } from './gaiad-process.ts';
import { NodeLog } from './node-log.ts';
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
  type SupervisionStep,
  started,
  supervisionTroubles,
} from './plan-supervision.ts';

const turnPeriodMs = 200;
const logBoundPeriodMs = 30_000;
/** A step that failed is planned again after this. */
const faultPauseMs = 2_000;
/** Looking for the consensus key in the chain's home: while gaiad runs, and while it doesn't. Before a start in any case. */
const keyPeriodMs = 60_000;
const keyPeriodStoppedMs = 2_000;

/** What the supervisor is told each turn. */
export interface SupervisorInputs {
  desired: OverlayInput['desired'];
  run: 'running' | 'stopped';
  signer: SupervisionInput['signer'];
  /** The consensus address, where the signer told it. */
  address: string | undefined;
  node: {
    answered: boolean;
    silentMs: number;
    height: number;
    /** Committed a block within the last few block times. */
    moves: boolean;
    blockSeconds: number | undefined;
    /** It votes with a key that is not Beam's signer's: how that shows. */
    selfSigning: { address: string; text: string } | undefined;
    /** It stands still since its signer was away: the node gives up a vote's retries only after minutes. */
    stuck: string | undefined;
  };
}

export interface SupervisorOptions {
  chain: ChainHome & { command: readonly string[]; startArguments: readonly string[] };
  /** Other files that the node would read a key from: the signer's own is checked when the configuration names it. */
  keyFiles(): Promise<string[]>;
  files: { record: string; log: string };
  store: OverlayStore;
  clock: Clock;
  log: Logger;
  inputs(): SupervisorInputs;
}

export interface SupervisorEvents {
  onStarted(pid: number): void;
  onExited(how: string, wanted: boolean, lastWords: string): void;
  onApplied(state: GaiadState, changed: string[]): void;
  onRejected(state: GaiadState): void;
  onRolledBack(state: GaiadState, reason: string): void;
  onChange(): void;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #events: SupervisorEvents;
  readonly #process: GaiadProcess;
  readonly #nodeLog: NodeLog;
  readonly #applier: OverlayApplier;
  #state: GaiadState = initialGaiadState;
  #memory: SupervisionMemory = initialSupervision;
  #settled = false;
  #keyOnNode: string | undefined;
  /** Not forgotten while this pilot runs: such a node is not started again. */
  #selfSigning: string | undefined;
  #keyLookedAtMs = Number.NEGATIVE_INFINITY;
  #fault: { text: string; untilMs: number } | undefined;
  /** Of the process that runs: when it was started or found, and the chain's height then. */
  #sinceStart = { atMs: 0, height: 0, frozen: false, answered: false };
  #trial = { failures: 0, chainMoved: false };
  #timer: NodeJS.Timeout | undefined;
  #turning = false;
  #again = false;
  #stopped = true;
  #ended = false;
  #logBoundAtMs = 0;
  #last: SupervisionInput | undefined;

  constructor(options: SupervisorOptions, events: SupervisorEvents) {
    this.#options = options;
    this.#events = events;
    const { chain, files } = options;
    this.#nodeLog = new NodeLog(files.log);
    this.#process = new GaiadProcess({
      command: chain.command,
      startArguments: chain.startArguments,
      home: chain.home,
      recordFile: files.record,
      log: this.#nodeLog,
      signerSocket: chain.signerSocket,
      onExit: () => this.poke(),
    });
    this.#applier = new OverlayApplier(chain, options.store);
  }

  async start(): Promise<void> {
    this.#state = (await this.#options.store.load()) ?? initialGaiadState;
    const found = await this.#process.find(hashOnDisk(this.#state));
    if (this.#ended) return;
    // Only now: a turn before this pilot has looked for a running gaiad would start a second one.
    this.#stopped = false;
    if (found) {
      this.#options.log.info({ pid: found.pid, startedAt: found.startedAt }, 'found gaiad running');
      this.#begun();
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
    return {
      overlay: hashOnDisk(this.#state),
      lastGood: this.#state.lastGood,
      state: this.#last ? gaiadState(this.#last) : 'starting',
      rejected: this.#state.rejected,
    };
  }

  get pid(): number | undefined {
    return this.#process.record?.pid;
  }

  get ranBefore(): boolean {
    return this.#state.ranBefore;
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
    return this.#applier.outsidePeers(this.#state);
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
    await this.#lookForKey(now, this.#process.record ? keyPeriodMs : keyPeriodStoppedMs);
    if (this.#fault && clock.monotonicMs() < this.#fault.untilMs) return;

    const overlayStep = planOverlay(this.#overlayInput(now));
    if (overlayStep) {
      await this.#runOverlay(overlayStep);
      this.#again = true;
    }
    this.#last = this.#supervisionInput(now);
    const step = planSupervision(this.#last);
    if (step) {
      await this.#runSupervision(step);
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
        if (!wanted) this.#trial.failures += 1;
        const pauseMs = wanted ? 0 : backOffMs(this.#memory.failures);
        log[wanted ? 'info' : 'error']({ how, pauseMs, lastWords }, 'gaiad ended');
        this.#events.onExited(how, wanted, lastWords);
      }
    }
    if (this.#process.record && now.node.answered && !this.#sinceStart.answered) {
      this.#sinceStart.answered = true;
      const startSeconds = (nowMs - this.#sinceStart.atMs) / 1000;
      if (!this.#state.ranBefore || Math.abs(this.#state.startSeconds - startSeconds) > 1) {
        this.#state = { ...this.#state, ranBefore: true, startSeconds };
        await this.#options.store.save(this.#state);
      }
    }
    if (nowMs - this.#logBoundAtMs >= logBoundPeriodMs) {
      this.#logBoundAtMs = nowMs;
      await this.#nodeLog.bound(this.#process.record !== undefined);
    }
  }

  /** Before every start, and now and then while it runs. */
  async #lookForKey(now: SupervisorInputs, periodMs: number): Promise<void> {
    const { chain, keyFiles, clock, log, store } = this.#options;
    const { selfSigning } = now.node;
    if (selfSigning && !this.#selfSigning) {
      log.error({ how: selfSigning.text }, 'gaiad signs by itself');
      this.#selfSigning = selfSigning.text;
    }
    const address = now.address ?? selfSigning?.address ?? this.#state.keyAddress;
    if (address === undefined) return;
    if (this.#state.keyAddress !== address) {
      this.#state = { ...this.#state, keyAddress: address };
      await store.save(this.#state);
    }
    if (clock.monotonicMs() - this.#keyLookedAtMs < periodMs) return;
    this.#keyLookedAtMs = clock.monotonicMs();
    this.#keyOnNode = await findConsensusKey(chain.home, await keyFiles(), address);
  }

  #overlayInput(now: SupervisorInputs): OverlayInput {
    const nowMs = this.#options.clock.monotonicMs();
    const record = this.#process.record;
    const { trial } = this.#state;
    const withTrial = trial && record?.overlay === trial.hash;
    return {
      desired: now.desired,
      settled: this.#settled,
      state: this.#state,
      trial: {
        process: withTrial
          ? {
              forMs: nowMs - this.#sinceStart.atMs,
              answered: now.node.answered,
              moved: now.node.height > this.#sinceStart.height,
            }
          : undefined,
        failures: this.#trial.failures,
        chainMoved: this.#trial.chainMoved,
        blockSeconds: now.node.blockSeconds,
        lastWords: this.#memory.lastWords,
      },
    };
  }

  #supervisionInput(now: SupervisorInputs): SupervisionInput {
    const nowMs = this.#options.clock.monotonicMs();
    const record = this.#process.record;
    const wanted = hashOnDisk(this.#state);
    const restart = record && record.overlay !== wanted ? 'its configuration has changed' : now.node.stuck;
    return {
      run: now.run,
      configuration: this.#settled || 'its overlay is awaited from the cloud',
      process: record && {
        pid: record.pid,
        forMs: nowMs - this.#sinceStart.atMs,
        frozen: this.#sinceStart.frozen,
        answered: now.node.answered,
        silentMs: now.node.silentMs,
      },
      signer: now.signer,
      keyOnNode: this.#keyOnNode,
      selfSigning: this.#selfSigning,
      restart,
      memory: this.#memory,
      nowMs,
    };
  }

  async #runOverlay(step: OverlayStep): Promise<void> {
    const { log } = this.#options;
    const executors: OverlayExecutors = {
      apply: async ({ hash, overlay }) => {
        const { node } = this.#options.inputs();
        const outdated = async () => this.#process.holds('');
        const applied = await this.#applier.apply(this.#state, hash, overlay, outdated);
        this.#state = applied.state;
        this.#settled ||= applied.outcome !== 'rejected' || hash === applied.state.lastGood;
        await this.#tell(applied, hash, node.moves);
      },
      resume: async () => {
        log.warn('a trial of a configuration was interrupted: it goes on');
        await this.#applier.resume(this.#state);
        this.#settled = true;
        this.#trial = { failures: 0, chainMoved: true };
      },
      accept: async () => {
        const changed = this.#state.trial?.changed ?? [];
        this.#state = await this.#applier.accept(this.#state);
        log.info({ overlay: this.#state.lastGood, changed }, 'gaiad is healthy with its new configuration');
        this.#events.onApplied(this.#state, changed);
      },
      'roll-back': async ({ reason }) => {
        this.#state = await this.#applier.rollBack(this.#state, reason);
        this.#memory = { ...this.#memory, failures: 0, endedAtMs: undefined };
        log.error({ reason, overlay: this.#state.lastGood }, 'the last good configuration was put back');
        this.#events.onRolledBack(this.#state, reason);
      },
    };
    await execute(executors, step);
  }

  async #tell(applied: Applied, hash: string, chainMoved: boolean): Promise<void> {
    const { log } = this.#options;
    switch (applied.outcome) {
      case 'rejected':
        log.error(
          { rejected: applied.state.rejected },
          'the overlay is rejected; gaiad keeps its configuration',
        );
        this.#events.onRejected(applied.state);
        return;
      case 'unchanged':
        if (this.#process.record && this.#process.record.overlay !== hash) await this.#process.holds(hash);
        return;
      case 'restored':
        log.info(
          { overlay: hash, changed: applied.changed },
          "gaiad's files were brought back to what they should be",
        );
        return;
      case 'trial':
        this.#trial = { failures: 0, chainMoved };
        log.info({ overlay: hash, changed: applied.changed }, "gaiad's configuration was changed");
    }
  }

  async #runSupervision(step: SupervisionStep): Promise<void> {
    const { clock, log } = this.#options;
    const executors: SupervisionExecutors = {
      start: async () => {
        await this.#lookForKey(this.#options.inputs(), 0);
        if (this.#keyOnNode !== undefined) return;
        // Counted before: what can't even be started backs off like what ends at once.
        this.#memory = started(this.#memory, clock.monotonicMs());
        try {
          const record = await this.#process.start(hashOnDisk(this.#state));
          this.#begun();
          log.info({ pid: record.pid }, 'gaiad started');
          this.#events.onStarted(record.pid);
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error);
          this.#memory = ended(this.#memory, why, clock.monotonicMs());
          log.error({ reason: why, command: this.#options.chain.command }, 'gaiad could not be started');
        }
      },
      terminate: async ({ pid, reason }) => {
        log.info({ pid, reason }, 'gaiad is told to end');
        this.#memory = { ...this.#memory, terminatedAtMs: clock.monotonicMs(), killed: false };
        this.#process.signal('SIGTERM');
      },
      kill: async ({ pid }) => {
        log.warn({ pid }, 'gaiad did not end in time: it is killed');
        this.#memory = { ...this.#memory, killed: true };
        this.#process.signal('SIGKILL');
      },
    };
    await execute(executors, step);
  }

  #begun(): void {
    const { clock, inputs } = this.#options;
    const { height } = inputs().node;
    this.#sinceStart = { atMs: clock.monotonicMs(), height, frozen: false, answered: false };
  }
}

/** Steps and executors come from one map of action → arguments: a missing executor does not compile. */
async function execute<Step extends { action: string }>(
  executors: { [Name in Step['action']]: (step: Extract<Step, { action: Name }>) => Promise<void> },
  step: Step,
): Promise<void> {
  const executor = executors[step.action as Step['action']] as (step: Step) => Promise<void>;
  await executor(step);
}

export function keyFileOf(gaiadHome: string, setting: unknown): string | undefined {
  return typeof setting === 'string' && setting !== '' ? join(gaiadHome, setting) : undefined;
}
