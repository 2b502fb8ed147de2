/**
 * A process of a server: it can die at any of its effects, and be frozen and woken. What it waits for reaches it through
 * here, so that a dead one never goes on, and a frozen one goes on when it wakes.
 */

import type { Wakeable } from '../../signer/core/within.ts';
import type { SeededChance } from '../../signer/rehearsal/seeded.ts';
import type { Scheduler } from './scheduler.ts';

export interface MachineClock {
  /** Monotonic time of the machine passes at this rate of the world's. */
  rate: number;
  /** ms by which its wall clock is off. */
  wallOffMs: number;
}

/** Of the world's wall clock at its beginning: ms since 1970. */
export const worldBeganMs = 1_795_000_000_000;

export class Process {
  readonly name: string;
  readonly #scheduler: Scheduler;
  readonly #chance: SeededChance;
  readonly #machine: MachineClock;
  readonly #onDeath: (process: Process) => void;
  #dead = false;
  #frozen = false;
  /** What waits for it to wake. */
  #parked: (() => void)[] = [];
  /** It dies at this many effects from now; undefined: it lives. */
  effectsLeft: number | undefined;

  constructor(
    name: string,
    world: { scheduler: Scheduler; chance: SeededChance },
    machine: MachineClock,
    onDeath: (process: Process) => void,
  ) {
    this.name = name;
    this.#scheduler = world.scheduler;
    this.#chance = world.chance;
    this.#machine = machine;
    this.#onDeath = onDeath;
  }

  get dead(): boolean {
    return this.#dead;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  kill(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#parked = [];
    this.#onDeath(this);
  }

  freeze(): void {
    this.#frozen = true;
  }

  wake(): void {
    this.#frozen = false;
    // One after the other: what an event loop finds waiting it hands out so, with all that follows from one before the next.
    for (const act of this.#parked.splice(0)) this.#scheduler.after(0, () => this.deliver(act));
  }

  /** Something from outside: now, when it wakes, or never. */
  deliver(act: () => void): void {
    if (this.#dead) return;
    if (this.#frozen) this.#parked.push(act);
    else act();
  }

  /** Resolves when the process runs; never for a dead one. */
  gate<T>(value: T): Promise<T> {
    return new Promise((resolve) => this.deliver(() => resolve(value)));
  }

  /** An act on the world: the process may die just before it, or just after. */
  async effect<T>(act: () => Promise<T>): Promise<T> {
    if (this.#dead) return await never();
    const last = this.effectsLeft !== undefined && --this.effectsLeft <= 0;
    if (last && this.#chance.happens(0.5)) {
      this.kill();
      return await never();
    }
    try {
      const result = await act();
      if (last) this.kill();
      return await this.gate(result);
    } catch (error) {
      if (last) this.kill();
      await this.gate(undefined);
      throw error;
    }
  }

  /** Monotonic ms of this machine. A frozen process's clock goes on. */
  nowMs(): number {
    return this.#scheduler.nowMs * this.#machine.rate;
  }

  wallMs(): number {
    return Math.floor(worldBeganMs + this.#scheduler.nowMs + this.#machine.wallOffMs);
  }

  sleep(ms: number, signal?: Wakeable): Promise<void> {
    if (signal?.aborted) return this.gate(undefined);
    return new Promise((resolve) => {
      const end = () => {
        timer.cancel();
        signal?.removeEventListener('abort', end);
        this.deliver(resolve);
      };
      const timer = this.#scheduler.after(ms / this.#machine.rate, end);
      signal?.addEventListener('abort', end);
    });
  }

  /** Acts again and again while the process lives. */
  every(ms: number, act: () => void): void {
    const tick = () => {
      if (this.#dead) return;
      this.#scheduler.after(ms / this.#machine.rate, () => {
        this.deliver(act);
        tick();
      });
    };
    tick();
  }
}

function never(): Promise<never> {
  return new Promise<never>(() => {});
}
