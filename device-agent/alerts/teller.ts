/** Tells events and alerts: to the log, and through the queue to the cloud where there is one. */

import type { AlertKind } from '../../protocol/topics.ts';
import type { Clock } from '../clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import type { MessageMaker, Severity } from '../cloud/messages.ts';
import type { Logger } from '../log.ts';
import { type AlertMemory, planAlerts, type Trouble } from './plan-alerts.ts';

type EventData = Parameters<MessageMaker['event']>[2];

export interface TellerOptions {
  messages: MessageMaker;
  clock: Clock;
  log: Logger;
  /** Undefined: stand-alone. */
  cloud(): Cloud | undefined;
}

export class Teller {
  readonly #options: TellerOptions;
  #memory: AlertMemory = {};
  #troubles: readonly Trouble[] = [];

  constructor(options: TellerOptions) {
    this.#options = options;
  }

  /** Those that last, as of the last look. */
  get troubles(): readonly Trouble[] {
    return this.#troubles;
  }

  event(kind: Parameters<MessageMaker['event']>[0], detail: string, data?: EventData): void {
    const { cloud, messages } = this.#options;
    cloud()?.queue(messages.event(kind, detail, data));
  }

  alert(kind: AlertKind, severity: Severity, text: string, data?: EventData): void {
    const { cloud, messages, log } = this.#options;
    log[severity === 'info' ? 'info' : 'warn']({ alert: kind, severity }, text);
    cloud()?.queue(messages.alert(kind, severity, text, data));
  }

  /** All troubles that there are now: alerts begin, repeat and end by them. */
  look(troubles: readonly Trouble[]): void {
    this.#troubles = troubles;
    const { alerts, memory } = planAlerts(troubles, this.#memory, this.#options.clock.monotonicMs());
    this.#memory = memory;
    for (const { kind, severity, text } of alerts) this.alert(kind, severity, text);
  }
}
