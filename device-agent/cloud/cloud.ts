/** All that goes between the pilot and the cloud: three shadows, the queue of alerts and events, what is sent at once. */

import { join } from 'node:path';
import { homePaths } from '../../protocol/config.ts';
import { type ShadowName, shadowNames } from '../../protocol/shadows.ts';
import { messageBytesMax } from '../../protocol/topics.ts';
import type { Clock } from '../clock.ts';
import type { Home } from '../home/load-home.ts';
import type { Logger } from '../log.ts';
import type { CloudLink, CloudLinkEvents, Subscription } from './cloud-link.ts';
import type { CloudCredentials } from './credentials.ts';
import type { OutgoingMessage } from './messages.ts';
import { Outbox } from './outbox.ts';
import type { Section } from './shadow-document.ts';
import { ShadowSync, shadowSubscriptions } from './shadow-sync.ts';

const tickMs = 500;
/** `update/documents` carries two whole documents with metadata. */
const shadowMessageBytesMax = 8 * messageBytesMax;
/** At the end: for reports that are under way. */
const settleMsMax = 1_000;

export interface CloudEvents {
  onDesired(shadow: ShadowName, desired: Section | undefined): void;
  onComplaint(shadow: ShadowName, code: number, message: string): void;
  onConnected(): void;
  onDisconnected(reason: string): void;
}

export type MakeLink = (subscriptions: Subscription[], events: CloudLinkEvents) => CloudLink;

export class Cloud {
  readonly #link: CloudLink;
  readonly #shadows: Record<ShadowName, ShadowSync>;
  readonly #outbox: Outbox;
  readonly #clock: Clock;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #offlineSinceMs: number | undefined;
  #offlineReason: string | undefined;

  constructor(home: Home, makeLink: MakeLink, clock: Clock, log: Logger, events: CloudEvents) {
    this.#clock = clock;
    this.#log = log;
    const publish = (topic: string, payload: string) => this.#link.publish(topic, payload);
    const sync = (shadow: ShadowName) =>
      new ShadowSync({
        thing: home.thing,
        shadow,
        clock,
        log,
        random: Math.random,
        publish,
        onDesired: (desired) => events.onDesired(shadow, desired),
        onComplaint: (code, message) => events.onComplaint(shadow, code, message),
      });
    this.#shadows = { role: sync('role'), gaiad: sync('gaiad'), status: sync('status') };
    this.#outbox = new Outbox({ file: join(home.path(homePaths.state), 'outbox.jsonl'), log, publish });
    const prefix = `$aws/things/${home.thing}/shadow/name/`;
    this.#link = makeLink(
      shadowNames.flatMap((shadow) => shadowSubscriptions(home.thing, shadow)),
      {
        onConnected: () => {
          this.#offlineSinceMs = undefined;
          this.#offlineReason = undefined;
          log.info('connected to the cloud');
          for (const shadow of Object.values(this.#shadows)) shadow.take({ type: 'connected' });
          this.#outbox.connected();
          events.onConnected();
        },
        onDisconnected: (reason) => {
          // The same reason, again and again, is worth one line.
          const news = reason !== this.#offlineReason;
          this.#offlineReason = reason;
          this.#offlineSinceMs ??= clock.monotonicMs();
          log[news ? 'warn' : 'debug']({ reason }, 'not connected to the cloud');
          for (const shadow of Object.values(this.#shadows)) shadow.take({ type: 'disconnected' });
          this.#outbox.disconnected();
          events.onDisconnected(reason);
        },
        onMessage: (topic, payload) => {
          if (!topic.startsWith(prefix)) return;
          const [name, ...tail] = topic.slice(prefix.length).split('/');
          const shadow = shadowNames.find((known) => known === name);
          if (shadow) this.#heard(shadow, tail.join('/'), payload);
        },
      },
    );
  }

  get connected(): boolean {
    return this.#link.connected;
  }

  /** 0 while connected. */
  get offlineMs(): number {
    return this.#offlineSinceMs === undefined ? 0 : this.#clock.monotonicMs() - this.#offlineSinceMs;
  }

  /** Why it is not connected, as far as it is known. */
  get offlineReason(): string | undefined {
    return this.#offlineReason;
  }

  get queued(): number {
    return this.#outbox.length;
  }

  reported(shadow: ShadowName): Section | undefined {
    return this.#shadows[shadow].reported;
  }

  async start(): Promise<void> {
    await this.#outbox.load();
    this.#offlineSinceMs = this.#clock.monotonicMs();
    this.#link.start();
    this.#timer = setInterval(() => {
      for (const shadow of Object.values(this.#shadows)) shadow.take({ type: 'tick' });
    }, tickMs);
  }

  report(shadow: ShadowName, reported: object): void {
    const plain: Section = JSON.parse(JSON.stringify(reported));
    this.#shadows[shadow].take({ type: 'report', reported: plain });
  }

  /** Kept on disk until it has arrived. */
  queue({ topic, payload }: OutgoingMessage): void {
    this.#outbox.add(topic, payload);
  }

  /** What is worth something only now: not sent later. */
  sendNow({ topic, payload }: OutgoingMessage): void {
    this.#link.publish(topic, payload).catch((error) => {
      this.#log.debug({ topic, reason: String(error) }, 'not sent');
    });
  }

  /** Changes over to a further certificate. Rejects where that fails: then all is as before. */
  async replaceCredentials(credentials: CloudCredentials): Promise<void> {
    if (!this.#link.replace) throw new Error('this link takes no further certificate; restart the pilot');
    await this.#link.replace(credentials);
  }

  async stop(): Promise<void> {
    const until = this.#clock.monotonicMs() + settleMsMax;
    const settled = () =>
      this.#outbox.length === 0 && Object.values(this.#shadows).every((shadow) => shadow.settled);
    while (this.connected && !settled() && this.#clock.monotonicMs() < until) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    clearInterval(this.#timer);
    await this.#outbox.stop();
    await this.#link.stop();
  }

  #heard(shadow: ShadowName, tail: string, payload: Uint8Array): void {
    if (payload.byteLength > shadowMessageBytesMax) {
      this.#log.warn(
        { shadow, tail, bytes: payload.byteLength },
        'a message too long for a shadow was left unread',
      );
      return;
    }
    try {
      const body: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
      this.#shadows[shadow].take({ type: 'message', tail, body });
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.#log.warn({ shadow, tail }, 'a message that is not JSON was left unread');
    }
  }
}
