/** A way between a server and the cloud: delays, losses, repeats, and cuts of either direction. */

import type { SeededChance } from '../../signer/rehearsal/seeded.ts';
import type { Scheduler } from './scheduler.ts';

/** How often what goes wrong with a message, each in [0, 1]; delays in ms, one way. */
export interface NetworkRates {
  delayMsMax: number;
  /** Never arrives. */
  lost: number;
  /** Arrives twice, the second time late. */
  twice: number;
  /** Arrives late: after what was sent behind it. */
  late: number;
  lateMsMax: number;
}

export const quietRates: NetworkRates = { delayMsMax: 8, lost: 0, twice: 0, late: 0, lateMsMax: 0 };

export class Way {
  readonly #scheduler: Scheduler;
  readonly #chance: SeededChance;
  rates: NetworkRates;
  /** Nothing passes up (to the cloud), or down. */
  cutUp = false;
  cutDown = false;

  constructor(world: { scheduler: Scheduler; chance: SeededChance }, rates: NetworkRates) {
    this.#scheduler = world.scheduler;
    this.#chance = world.chance;
    this.rates = rates;
  }

  get whole(): boolean {
    return !this.cutUp && !this.cutDown;
  }

  up(act: () => void): void {
    this.#pass(() => this.cutUp, act);
  }

  down(act: () => void): void {
    this.#pass(() => this.cutDown, act);
  }

  #pass(cut: () => boolean, act: () => void): void {
    const { delayMsMax, lost, twice, late, lateMsMax } = this.rates;
    const chance = this.#chance;
    // A cut loses what is under way, too.
    const arrive = () => {
      if (!cut()) act();
    };
    if (cut()) return;
    if (lost > 0 && chance.happens(lost)) return;
    const delayMs = chance.next() * delayMsMax;
    const lateMs = (lateMsMax * (1 + chance.next())) / 2;
    this.#scheduler.after(late > 0 && chance.happens(late) ? lateMs : delayMs, arrive);
    if (twice > 0 && chance.happens(twice)) this.#scheduler.after(delayMs + lateMs, arrive);
  }
}
