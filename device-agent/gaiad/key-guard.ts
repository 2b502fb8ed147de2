/** Keeps the fleet's consensus key and gaiad apart (design, invariant 7): what is found, and what is remembered of it. */

import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { findConsensusKey } from './consensus-keys.ts';

/** Looking through the chain's home: while gaiad runs, and while it doesn't. Before a start in any case. */
const runningPeriodMs = 60_000;
const stoppedPeriodMs = 2_000;

export interface KeyGuardOptions {
  /** gaiad's home. */
  home: string;
  /** Other files that the node would read a key from. */
  keyFiles(): Promise<string[]>;
  clock: Clock;
  log: Logger;
  /** Keeps the fleet's consensus address for the next pilot: the signer may be down then. */
  remember(address: string): Promise<void>;
}

export interface KeySigns {
  /** The consensus address, where the signer told it. */
  address: string | undefined;
  /** The running node votes with a key that is not Beam's signer's: how that shows. */
  selfSigning: { address: string; text: string } | undefined;
}

export class KeyGuard {
  readonly #options: KeyGuardOptions;
  #keyOnNode: string | undefined;
  #selfSigning: string | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: KeyGuardOptions) {
    this.#options = options;
  }

  /** The file that holds the key. */
  get keyOnNode(): string | undefined {
    return this.#keyOnNode;
  }

  /** Not forgotten while this pilot runs: such a node is not started again. */
  get selfSigning(): string | undefined {
    return this.#selfSigning;
  }

  /** @param when 'now' right before a start. */
  async look(
    signs: KeySigns,
    remembered: string | undefined,
    when: 'running' | 'stopped' | 'now',
  ): Promise<void> {
    const { home, keyFiles, clock, log, remember } = this.#options;
    const { selfSigning } = signs;
    if (selfSigning && !this.#selfSigning) {
      log.error({ how: selfSigning.text }, 'gaiad signs by itself');
      this.#selfSigning = selfSigning.text;
    }
    const address = signs.address ?? selfSigning?.address ?? remembered;
    if (address === undefined) {
      this.#keyOnNode = undefined;
      return;
    }
    if (address !== remembered) await remember(address);
    const periodMs = { running: runningPeriodMs, stopped: stoppedPeriodMs, now: 0 }[when];
    if (clock.monotonicMs() - this.#lookedAtMs < periodMs) return;
    this.#lookedAtMs = clock.monotonicMs();
    this.#keyOnNode = await findConsensusKey(home, await keyFiles(), address);
  }
}
