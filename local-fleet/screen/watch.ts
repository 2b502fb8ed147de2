/** Follows a fleet over MQTT with MQTT.js, as any operator's tool would: an operator's certificate, nothing else. */

import { randomBytes } from 'node:crypto';
import mqtt from 'mqtt';
import { applyMessage, emptyView, type FleetView, watchedTopics } from './fleet-view.ts';

export interface WatchOptions {
  /** host:port */
  endpoint: string;
  /** PEM texts. */
  ca: string;
  certificate: string;
  key: string;
  fleet: string;
  nodes: Parameters<typeof emptyView>[1];
  onChange(view: FleetView, lines: string[]): void;
  onTrouble(reason: string): void;
}

/** What cloud-rules/policies/beam-operator.json allows operators to connect as. */
const clientIdPrefix = 'beam-operator-';
const reconnectMs = 1_000;
const connectTimeoutMs = 10_000;
/** AWS IoT's bounds are 30 to 1200 s. */
const keepAliveSeconds = 30;
const endTimeoutMs = 1_000;

export class FleetWatch {
  #view: FleetView;
  readonly #options: WatchOptions;
  #client: mqtt.MqttClient | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#view = emptyView(options.fleet, options.nodes);
  }

  get view(): FleetView {
    return this.#view;
  }

  /** Resolves when subscribed; goes on by itself after every loss of the connection. */
  async start(): Promise<void> {
    const { endpoint, ca, certificate, key, fleet } = this.#options;
    const client = mqtt.connect(`mqtts://${endpoint}`, {
      ca,
      cert: certificate,
      key,
      clientId: `${clientIdPrefix}${randomBytes(6).toString('hex')}`,
      clean: true,
      reconnectPeriod: reconnectMs,
      connectTimeout: connectTimeoutMs,
      keepalive: keepAliveSeconds,
      resubscribe: false,
    });
    this.#client = client;
    client.on('message', (topic, payload) => this.#onMessage(topic, payload.toString()));
    client.on('error', (error) => this.#options.onTrouble(`the table's MQTT connection: ${error.message}`));
    await new Promise<void>((resolve) => {
      client.on('connect', () => {
        client.subscribeAsync(watchedTopics(fleet), { qos: 0 }).then(
          () => resolve(),
          (error: Error) => this.#options.onTrouble(`the table can't subscribe: ${error.message}`),
        );
      });
    });
  }

  async stop(): Promise<void> {
    const client = this.#client;
    if (!client) return;
    await Promise.race([
      client.endAsync(true),
      new Promise((resolve) => setTimeout(resolve, endTimeoutMs).unref()),
    ]);
  }

  #onMessage(topic: string, payload: string): void {
    const { view, lines } = applyMessage(this.#view, topic, payload, Date.now());
    if (view === this.#view && lines.length === 0) return;
    this.#view = view;
    this.#options.onChange(view, lines);
  }
}
