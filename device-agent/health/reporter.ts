/** Sends what the pilot sees: health each few seconds and when the role changes, the status shadow when it changes. */

import { isDeepStrictEqual } from 'node:util';
import type { ReportedStatus } from '../../protocol/shadows.ts';
import { basicIngest, healthRuleName } from '../../protocol/topics.ts';
import type { Clock } from '../clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import type { MessageMaker } from '../cloud/messages.ts';
import { nodeIdOf } from '../gaiad/node-id.ts';
import type { Home } from '../home/load-home.ts';
import type { Logger } from '../log.ts';
import { machineLoad } from './machine.ts';
import { health, minute, type Seen, status } from './reports.ts';

/** From one report of the minute's figures to the next, where nothing else has changed. */
export const minuteMs = 60_000;

export interface ReporterOptions {
  home: Home;
  clock: Clock;
  log: Logger;
  messages: MessageMaker;
  cloud: Cloud;
  seen(): Omit<Seen, 'load'>;
  /** The role is known well enough to be told. */
  ready(): boolean;
  outsidePeers(): Promise<string[]>;
}

export class Reporter {
  readonly #options: ReporterOptions;
  #load: Seen['load'];
  #nodeId: string | undefined;
  #outsidePeers: string[] = [];
  #minute: ReportedStatus['minute'];
  #minuteAtMs: number | undefined;
  #told: ReportedStatus | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#lookAround();
    const periodMs = this.#options.home.config.health.seconds * 1000;
    this.#timer = setInterval(() => {
      void this.#lookAround().then(() => this.sendHealth());
    }, periodMs);
    this.sendHealth();
    this.reportStatus();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  sendHealth(): void {
    const { cloud, messages, ready, home } = this.#options;
    if (!ready()) return;
    const message = messages.health(health(this.#seen()));
    const { basic_ingest: toRule } = home.config.health;
    cloud.sendNow(toRule ? { ...message, topic: basicIngest(healthRuleName, message.topic) } : message);
  }

  /** Writes to the shadow where something other than the minute's figures has changed, or a minute is over. */
  reportStatus(): void {
    const { clock, cloud, ready } = this.#options;
    if (!ready()) return;
    const seen = this.#seen();
    const nowMs = clock.monotonicMs();
    const due = this.#minuteAtMs === undefined || nowMs - this.#minuteAtMs >= minuteMs;
    if (due && seen.chain.height > 0) {
      this.#minuteAtMs = nowMs;
      this.#minute = minute(seen, clock.wallMs());
    }
    const now = status(seen, {
      nodeId: this.#nodeId,
      outsidePeers: this.#outsidePeers,
      minute: this.#minute,
    });
    if (isDeepStrictEqual(now, this.#told)) return;
    this.#told = now;
    cloud.report('status', now);
  }

  #seen(): Seen {
    return { ...this.#options.seen(), load: this.#load };
  }

  /** What is read from disk and the machine. */
  async #lookAround(): Promise<void> {
    const { home, log, outsidePeers } = this.#options;
    const gaiadHome = home.path(home.config.gaiad.home);
    try {
      this.#load = await machineLoad(gaiadHome);
      this.#nodeId ??= await nodeIdOf(gaiadHome);
      this.#outsidePeers = await outsidePeers();
    } catch (error) {
      log.debug({ reason: String(error) }, 'could not look around for a report');
    }
  }
}
