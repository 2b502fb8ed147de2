/**
 * gaiad where the pilot only watches (mode "monitor"): another supervisor runs it, and this one knows it by its RPC alone.
 * It starts, stops and writes nothing; what the fleet wants of configuration is told back as not applied.
 */

import type { DesiredGaiad, RejectedSetting, ReportedGaiad } from '../../protocol/shadows.ts';
import type { Trouble } from '../alerts/plan-alerts.ts';
import type { NodeView } from '../chain/chain-watch.ts';
import type { OverlayApplier } from '../overlay/apply-overlay.ts';
import {
  type GaiadState,
  hashOnDisk,
  initialGaiadState,
  type OverlayStore,
} from '../overlay/overlay-state.ts';
import type { OverlayInput } from '../overlay/plan-overlay.ts';
import { boundRejected, rejectedSetting } from '../overlay/rejected.ts';
import { settings } from '../overlay/toml-tree.ts';

const turnPeriodMs = 500;
/** Of a node that has not answered since the pilot's start. */
const unheardMsMax = 10_000;
const silentMsMax = 5_000;
const notApplied =
  'not applied: mode is "monitor" in this server\'s config.toml, where the pilot only watches';

export interface WatchedGaiadInputs {
  desired: OverlayInput['desired'];
  run: DesiredGaiad['run'];
  node: NodeView;
  /** Monotonic ms. */
  nowMs: number;
}

export interface WatchedGaiadOptions {
  rpc: string;
  applier: Pick<OverlayApplier, 'outsidePeers' | 'setting'>;
  store: Pick<OverlayStore, 'load'>;
  inputs(): WatchedGaiadInputs;
  onChange(): void;
}

export class WatchedGaiad {
  readonly #options: WatchedGaiadOptions;
  /** What a pilot of another mode left in the files. */
  #files: GaiadState = initialGaiadState;
  #startedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Not this pilot's process. */
  readonly pid = undefined;
  readonly waitsFor = undefined;

  constructor(options: WatchedGaiadOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#files = (await this.#options.store.load()) ?? initialGaiadState;
    this.#startedAtMs = this.#options.inputs().nowMs;
    this.#timer = setInterval(() => this.poke(), turnPeriodMs);
    this.poke();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  poke(): void {
    this.#options.onChange();
  }

  get reported(): ReportedGaiad {
    const inputs = this.#options.inputs();
    return {
      overlay: hashOnDisk(this.#files),
      lastGood: this.#files.lastGood,
      state: watchedState(inputs.node, inputs.nowMs, this.#startedAtMs),
      rejected: unapplied(inputs, hashOnDisk(this.#files)),
    };
  }

  troubles(): Trouble[] {
    const { rpc } = this.#options;
    if (this.reported.state !== 'unresponsive') return [];
    const text = `gaiad does not answer its RPC at ${rpc}. Beam only watches here (mode "monitor"): look at it with whatever runs it, or correct gaiad.rpc in config.toml.`;
    return [{ kind: 'gaiad-down', severity: 'critical', text }];
  }

  outsidePeers(): Promise<string[]> {
    return this.#options.applier.outsidePeers(this.#files);
  }

  setting(...path: string[]): Promise<unknown> {
    return this.#options.applier.setting('config.toml', path);
  }
}

function watchedState(node: NodeView, nowMs: number, startedAtMs: number): ReportedGaiad['state'] {
  if (node.answeredAtMs === undefined)
    return nowMs - startedAtMs < unheardMsMax ? 'starting' : 'unresponsive';
  const silentMs = node.silentSinceMs === undefined ? 0 : nowMs - node.silentSinceMs;
  return silentMs < silentMsMax ? 'running' : 'unresponsive';
}

/** All that the fleet wants and this pilot leaves undone. */
function unapplied({ desired, run }: WatchedGaiadInputs, onDisk: string): RejectedSetting[] {
  const rejected: RejectedSetting[] = [];
  if (desired.known === true && desired.hash !== onDisk) {
    for (const [file, part] of Object.entries(desired.overlay)) {
      for (const { path, value } of settings(part ?? {})) {
        rejected.push(rejectedSetting(`${file}/${path.join('.')}`, value, notApplied));
      }
    }
  }
  if (run === 'stopped') rejected.push(rejectedSetting('run', run, notApplied));
  return boundRejected(rejected);
}
