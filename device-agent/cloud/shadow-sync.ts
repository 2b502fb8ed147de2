/** Runs `planShadow` for one of the thing's named shadows over the link. */

import { randomUUID } from 'node:crypto';
import { type ShadowName, shadowTopic } from '../../protocol/shadows.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Subscription } from './cloud-link.ts';
import {
  initialShadow,
  planShadow,
  type ShadowExecutors,
  type ShadowInput,
  type ShadowState,
  type ShadowStep,
} from './plan-shadow.ts';
import type { Section } from './shadow-document.ts';

/** Answers come at QoS 0: a lost one is asked for again. */
const answers = ['get/accepted', 'get/rejected', 'update/accepted', 'update/rejected'];
const changes = ['update/delta', 'update/documents', 'delete/accepted'];
/**
 * Nobody wishes anything by `status`, which changes each minute: its documents would double what its reports cost. A change of
 * somebody else's is met by the next report's version (409), and put right.
 */
const changesOf: Record<ShadowName, string[]> = {
  role: changes,
  gaiad: changes,
  status: ['delete/accepted'],
};

export function shadowSubscriptions(thing: string, shadow: ShadowName): Subscription[] {
  return [
    ...changesOf[shadow].map((tail): Subscription => ({ filter: shadowTopic(thing, shadow, tail), qos: 1 })),
    ...answers.map((tail): Subscription => ({ filter: shadowTopic(thing, shadow, tail), qos: 0 })),
  ];
}

export interface ShadowSyncOptions {
  thing: string;
  shadow: ShadowName;
  clock: Clock;
  log: Logger;
  /** From 0 to below 1: pauses are drawn by it. */
  random(): number;
  publish(topic: string, payload: string): Promise<void>;
  onDesired(desired: Section | undefined): void;
  onComplaint(code: number, message: string): void;
}

export class ShadowSync {
  readonly #options: ShadowSyncOptions;
  #state: ShadowState = initialShadow;
  readonly #executors: ShadowExecutors = {
    get: ({ token }) => this.#send('get', { clientToken: token }),
    update: ({ token, reported, version }) =>
      this.#send('update', {
        state: { reported },
        clientToken: token,
        ...(version === undefined ? {} : { version }),
      }),
    desired: ({ desired }) => this.#options.onDesired(desired),
    complain: ({ code, message }) => this.#options.onComplaint(code, message),
  };

  constructor(options: ShadowSyncOptions) {
    this.#options = options;
  }

  /** What the cloud says was reported, as last heard. */
  get reported(): Section | undefined {
    return this.#state.known?.reported;
  }

  /** True when everything reported has reached the cloud. */
  get settled(): boolean {
    return this.#state.known !== undefined && this.#state.request === undefined;
  }

  take(input: ShadowInput): void {
    const { clock, random } = this.#options;
    const { state, steps } = planShadow(this.#state, input, clock.monotonicMs(), randomUUID(), random());
    this.#state = state;
    for (const step of steps) this.#execute(step);
  }

  #execute<Name extends ShadowStep['action']>(step: Extract<ShadowStep, { action: Name }>): void {
    const executor = this.#executors[step.action] as (step: ShadowStep) => void;
    executor(step);
  }

  #send(tail: string, body: object): void {
    const { thing, shadow, log } = this.#options;
    this.#options.publish(shadowTopic(thing, shadow, tail), JSON.stringify(body)).catch((error) => {
      // The request's time-out, or the next connect, brings it again.
      log.debug({ shadow, tail, reason: String(error) }, 'a shadow request was not sent');
    });
  }
}
