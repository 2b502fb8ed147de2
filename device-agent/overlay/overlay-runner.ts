/** Carries out what planOverlay plans, and keeps what the pilot remembers of gaiad's configuration. */

import type { Clock } from '../clock.ts';
import { execute } from '../execute.ts';
import type { Logger } from '../log.ts';
import type { Applied, OverlayApplier } from './apply-overlay.ts';
import { type GaiadState, hashOnDisk, initialGaiadState, type OverlayStore } from './overlay-state.ts';
import { type OverlayExecutors, type OverlayInput, planOverlay } from './plan-overlay.ts';

/** A node that runs already is given this long to answer first. */
const foundWaitMs = 3_000;

export interface OverlayEvents {
  onApplied(state: GaiadState, changed: string[]): void;
  onRejected(state: GaiadState): void;
  onRolledBack(state: GaiadState, reason: string): void;
}

/** gaiad's process, as far as its configuration goes. */
export interface ConfiguredProcess {
  /** Hash of the overlay that it was started with; undefined where none runs. */
  readonly startedWith: string | undefined;
  /** The running process is told to be one that was started with `overlay`; '' makes it outdated. */
  holds(overlay: string): Promise<void>;
}

export interface OverlayView {
  desired: OverlayInput['desired'];
  /** The chain goes on, as the node shows it. */
  chainMoves: boolean;
  blockSeconds: number | undefined;
  lastWords: string;
  /** The process that runs. */
  process: { forMs: number; answered: boolean; moved: boolean };
}

export interface OverlayRunnerOptions {
  applier: OverlayApplier;
  store: OverlayStore;
  clock: Clock;
  log: Logger;
  process: ConfiguredProcess;
}

export class OverlayRunner {
  readonly #options: OverlayRunnerOptions;
  readonly #events: OverlayEvents;
  #state: GaiadState = initialGaiadState;
  #settled = false;
  /** Hash of the overlay that was checked and refused since the start of this pilot. */
  #checked: string | undefined;
  #failures = 0;

  constructor(options: OverlayRunnerOptions, events: OverlayEvents) {
    this.#options = options;
    this.#events = events;
  }

  get state(): GaiadState {
    return this.#state;
  }

  /** Since the pilot's start the files were brought to what they should be. */
  get settled(): boolean {
    return this.#settled;
  }

  async load(): Promise<void> {
    this.#state = (await this.#options.store.load()) ?? initialGaiadState;
  }

  /** Notes something beside the configuration itself. */
  async note(change: Partial<Pick<GaiadState, 'ranBefore' | 'startSeconds' | 'keyAddress'>>): Promise<void> {
    this.#state = { ...this.#state, ...change };
    await this.#options.store.save(this.#state);
  }

  /** A process ended that nobody had told to. */
  processFailed(): void {
    this.#failures += 1;
  }

  /** @returns true where a step was taken: there may be another one. */
  async turn(view: OverlayView): Promise<boolean> {
    const { process } = this.#options;
    const { trial } = this.#state;
    const { answered, forMs } = view.process;
    // How the chain does before a change is known only from a node that answered.
    if (process.startedWith !== undefined && !this.#settled && !answered && forMs < foundWaitMs) return false;
    const step = planOverlay({
      desired: view.desired,
      settled: this.#settled,
      checked: this.#checked,
      state: this.#state,
      trial: {
        process: trial && process.startedWith === trial.hash ? view.process : undefined,
        failures: this.#failures,
        blockSeconds: view.blockSeconds,
        lastWords: view.lastWords,
      },
    });
    if (!step) return false;
    await execute(this.#executors(view.chainMoves), step);
    return true;
  }

  #executors(chainMoves: boolean): OverlayExecutors {
    const { applier, log, process } = this.#options;
    return {
      apply: async ({ hash, overlay }) => {
        const outdated = async () => process.holds('');
        const applied = await applier.apply(this.#state, { hash, overlay, chainMoves }, outdated);
        this.#state = applied.state;
        await this.#applied(applied, hash);
      },
      resume: async () => {
        log.warn('a trial of a configuration was interrupted: it goes on');
        await applier.resume(this.#state);
        this.#settled = true;
        this.#failures = 0;
      },
      accept: async () => {
        const changed = this.#state.trial?.changed ?? [];
        this.#state = await applier.accept(this.#state);
        log.info({ overlay: this.#state.lastGood, changed }, 'gaiad is healthy with its new configuration');
        this.#events.onApplied(this.#state, changed);
      },
      'roll-back': async ({ reason }) => {
        this.#state = await applier.rollBack(this.#state, reason);
        log.error({ reason, overlay: this.#state.lastGood }, 'the last good configuration was put back');
        this.#events.onRolledBack(this.#state, reason);
      },
    };
  }

  async #applied(applied: Applied, hash: string): Promise<void> {
    const { log, process } = this.#options;
    if (applied.outcome === 'rejected') {
      this.#checked = hash;
      const { rejected } = applied.state;
      log.error({ rejected }, 'the overlay is rejected; gaiad keeps its configuration');
      this.#events.onRejected(applied.state);
      return;
    }
    this.#settled = true;
    if (applied.outcome === 'unchanged') {
      const { startedWith } = process;
      if (startedWith !== undefined && startedWith !== hash) await process.holds(hash);
      return;
    }
    const { changed } = applied;
    if (applied.outcome === 'trial') {
      this.#failures = 0;
      log.info({ overlay: hash, changed }, "gaiad's configuration was changed");
    } else log.info({ overlay: hash, changed }, "gaiad's files were brought back to what they should be");
  }
}

/** What is reported of the configuration. */
export function reportedOverlay(
  state: GaiadState,
): Pick<GaiadState, 'lastGood' | 'rejected'> & { overlay: string } {
  return { overlay: hashOnDisk(state), lastGood: state.lastGood, rejected: state.rejected };
}
