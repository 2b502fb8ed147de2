/** When an overlay is applied, found good, or taken back: a pure core. */

import type { DesiredGaiad, Overlay } from '../../protocol/shadows.ts';
import type { GaiadState } from './overlay-state.ts';

export interface OverlayInput {
  /** The fleet's wish, or how far the pilot is from knowing it. */
  desired:
    | { known: true; hash: string; overlay: Overlay }
    /** The shadow names no overlay. */
    | { known: 'none'; forMs: number }
    /** Not heard from the cloud yet. */
    | { known: false; forMs: number }
    /** No cloud. */
    | { known: 'alone' };
  /** Since the pilot's start the files were brought to what they should be. */
  settled: boolean;
  /** Hash of the overlay that was checked and refused since the pilot's start. */
  checked: string | undefined;
  state: GaiadState;
  /** How gaiad does under the overlay on trial. */
  trial: {
    /** Undefined: no process yet that was started with it. */
    process: { forMs: number; answered: boolean; moved: boolean } | undefined;
    /** Its processes that ended by themselves. */
    failures: number;
    blockSeconds: number | undefined;
    lastWords: string;
  };
}

export interface OverlayStepArguments {
  /** Brings the files to this overlay and the pilot's own settings. */
  apply: { hash: string; overlay: Overlay };
  /** The pilot was interrupted in a trial: writes its files again, whatever is there now. */
  resume: Record<never, never>;
  accept: Record<never, never>;
  'roll-back': { reason: string };
}
export type OverlayStep = {
  [Name in keyof OverlayStepArguments]: { action: Name } & OverlayStepArguments[Name];
}[keyof OverlayStepArguments];
export type OverlayExecutors = {
  [Name in keyof OverlayStepArguments]: (step: OverlayStepArguments[Name]) => Promise<void>;
};

/** A server that ran before does not wait longer for the cloud. */
export const cloudWaitMs = 3_000;
/** A new server's status must reach Commander before an overlay for it can come back. */
export const firstOverlayWaitMs = 4_000;
const trialMsMin = 30_000;
const trialBlocks = 10;
/** The first start of a chain home: a genesis or a snapshot is read before the RPC answers. */
const firstTrialMs = 10 * 60_000;
const trialFailuresMax = 2;

export function planOverlay({
  desired,
  settled,
  checked,
  state,
  trial,
}: OverlayInput): OverlayStep | undefined {
  if (state.trial) {
    if (!settled) return { action: 'resume' };
    return verdict(state, trial);
  }
  if (desired.known === true) {
    const { hash, overlay } = desired;
    const refused = state.refused?.hash === hash && (state.refused.by === 'roll-back' || checked === hash);
    if (!refused && (!settled || hash !== state.lastGood)) return { action: 'apply', hash, overlay };
  }
  if (settled || waits(desired, state)) return undefined;
  return { action: 'apply', hash: state.lastGood, overlay: state.overlay };
}

function waits(desired: OverlayInput['desired'], { ranBefore }: GaiadState): boolean {
  if (desired.known === false) return !ranBefore || desired.forMs < cloudWaitMs;
  return desired.known === 'none' && !ranBefore && desired.forMs < firstOverlayWaitMs;
}

function verdict(
  { startSeconds, ranBefore, trial: tried }: GaiadState,
  trial: OverlayInput['trial'],
): OverlayStep | undefined {
  const { process, failures, blockSeconds, lastWords } = trial;
  if (failures >= trialFailuresMax) {
    const said = lastWords ? `, saying: ${lastWords}` : '';
    return { action: 'roll-back', reason: `gaiad ended ${failures} times with it${said}` };
  }
  if (!process) return undefined;
  if (process.answered && (process.moved || !tried?.chainMoved)) return { action: 'accept' };
  const boundMs = ranBefore
    ? Math.max(trialMsMin, trialBlocks * 1000 * (blockSeconds ?? 0)) + 2000 * startSeconds
    : firstTrialMs;
  if (process.forMs < boundMs) return undefined;
  const seconds = Math.round(boundMs / 1000);
  const what = process.answered ? 'committed no block' : 'did not answer its RPC';
  return { action: 'roll-back', reason: `gaiad ${what} within ${seconds} s of its start with it` };
}

export function desiredOverlay(
  desired: DesiredGaiad | undefined,
  hash: (overlay: Overlay) => string,
  forMs: number,
): OverlayInput['desired'] {
  return desired?.config
    ? { known: true, hash: hash(desired.config), overlay: desired.config }
    : { known: 'none', forMs };
}
