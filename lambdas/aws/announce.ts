/** Commander's alerts, published where pilots publish theirs, so that one rule and every operator's tool hear both. */

import { type IoTDataPlaneClient, PublishCommand } from '@aws-sdk/client-iot-data-plane';
import { type AlertKind, type AlertMessage, topics } from '../../protocol/topics.ts';
import { log } from './log.ts';
import { msSince } from './ms-since.ts';

/** So many alerts are remembered to be quiet about. */
const rememberedMax = 1_000;

export interface Announcement {
  fleet: string;
  thing: string;
  kind: AlertKind;
  severity: AlertMessage['severity'];
  text: string;
  /** The same alert (figures aside) is not sent again within this time. */
  quietMs: number;
}

export class Announcer {
  readonly #client: IoTDataPlaneClient;
  readonly #now: () => number;
  readonly #bootId = `commander-${crypto.randomUUID()}`;
  readonly #sentAt = new Map<string, number>();
  #seq = 0;

  constructor(client: IoTDataPlaneClient, now: () => number) {
    this.#client = client;
    this.#now = now;
  }

  /** An alert that can't be sent is in the log all the same, and stops nothing. */
  async announce({ fleet, thing, kind, severity, text, quietMs }: Announcement): Promise<void> {
    const at = this.#now();
    const same = `${thing}/${kind}/${text.replace(/\d+/g, '#')}`;
    const before = this.#sentAt.get(same);
    if (before !== undefined && msSince(before, at) < quietMs) return;
    this.#sentAt.delete(same);
    this.#sentAt.set(same, at);
    const [oldest] = this.#sentAt.keys();
    if (this.#sentAt.size > rememberedMax && oldest !== undefined) this.#sentAt.delete(oldest);

    const seq = this.#seq++;
    const message: AlertMessage = {
      v: 1,
      thing,
      bootId: this.#bootId,
      seq,
      at,
      severity,
      text: text.slice(0, 1000),
    };
    log(severity === 'info' ? 'info' : 'warn', text, { fleet, thing, kind, severity });
    try {
      await this.#client.send(
        new PublishCommand({
          topic: topics.alert(fleet, thing, kind),
          qos: 1,
          payload: Buffer.from(JSON.stringify(message)),
        }),
      );
    } catch (error) {
      this.#sentAt.delete(same);
      log('error', `The alert could not be published: ${String(error)}`, { fleet, thing, kind });
    }
  }
}
