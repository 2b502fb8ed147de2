/** Ctrl-C and SIGTERM as an AbortSignal; a second one ends at once. */

import { exitCodes } from './errors.ts';

export interface Interrupt {
  signal: AbortSignal;
  /** The process's signals are Node's own again. */
  release(): void;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** @param atOnce what must still be done when a second signal comes, without waiting for anything */
export function onInterrupt(atOnce: () => void): Interrupt {
  const controller = new AbortController();
  const listener = () => {
    if (!controller.signal.aborted) {
      controller.abort(new InterruptedError());
      return;
    }
    atOnce();
    process.exit(exitCodes.interrupted);
  };
  for (const name of signals) process.on(name, listener);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of signals) process.removeListener(name, listener);
    },
  };
}

export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
  constructor() {
    super('ended by a signal');
  }
}
