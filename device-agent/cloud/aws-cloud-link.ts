/**
 * CloudLink over the AWS IoT Device SDK's MQTT 5 client. Of the SDK's two clients this one reconnects from
 * the first attempt on by itself, with jitter; the 3.1.1 client gives up when its first connect fails.
 */

import { iot, mqtt5 } from 'aws-iot-device-sdk-v2';
import type { Logger } from '../log.ts';
import { type CloudLink, type CloudLinkEvents, NotSentError, type Subscription } from './cloud-link.ts';

const reconnectDelayMsMin = 250;
const reconnectDelayMsMax = 15_000;
/** Connected for this long, the next back-off starts small again. */
const steadyMs = 20_000;
const connackTimeoutMs = 10_000;
/** AWS allows 30 to 1,200 s and cuts at one and a half times. */
const keepAliveSeconds = 30;
const pingTimeoutMs = 10_000;
const ackTimeoutSeconds = 10;
/** AWS IoT's bound of one SUBSCRIBE. */
const filtersMax = 8;
const stopTimeoutMs = 3_000;
const failureReasonCodeMin = 0x80;
/** A further certificate's connection comes about in this time, or the one before it goes on. */
const replaceTimeoutMsDefault = 15_000;

export interface AwsCloudLinkOptions {
  /** host:port */
  endpoint: string;
  clientId: string;
  /** PEM, as read and checked before. */
  certificate: string;
  key: string;
  /** PEM; undefined: the system's. */
  ca?: string | undefined;
  subscriptions: Subscription[];
  log: Logger;
  replaceTimeoutMs?: number;
}

export class AwsCloudLink implements CloudLink {
  #options: AwsCloudLinkOptions;
  readonly #events: CloudLinkEvents;
  #client: mqtt5.Mqtt5Client | undefined;
  /** Connects with a further certificate, while `#client` goes on. */
  #next: mqtt5.Mqtt5Client | undefined;
  #connected = false;
  #stopping = false;
  /** Counts connections, so that a late answer to an earlier one's SUBSCRIBE is told apart. */
  #session = 0;

  constructor(options: AwsCloudLinkOptions, events: CloudLinkEvents) {
    this.#options = options;
    this.#events = events;
  }

  get connected(): boolean {
    return this.#connected;
  }

  start(): void {
    this.#client = this.#open(this.#options);
  }

  #open(options: AwsCloudLinkOptions): mqtt5.Mqtt5Client {
    const client = new mqtt5.Mqtt5Client(clientConfig(options));
    const isCurrent = () => client === this.#client;
    client.on('messageReceived', ({ message }) => {
      const { payload } = message;
      this.#events.onMessage(message.topicName, payload === undefined ? new Uint8Array() : asBytes(payload));
    });
    client.on('connectionSuccess', () => void this.#subscribe(client));
    client.on('connectionFailure', ({ error, connack }) => {
      if (!isCurrent()) return;
      this.#down(
        `${describe(error, connack?.reasonCode)}. ${this.#remedy(error.error_name, connack !== undefined)}`,
      );
    });
    client.on('disconnection', ({ error, disconnect }) => {
      // The broker ends it when the next one connects with the same client id: it must not come back against that one.
      if (this.#next !== undefined && isCurrent()) client.stop();
      else if (isCurrent()) this.#down(describe(error, disconnect?.reasonCode));
    });
    client.on('error', (error) => this.#options.log.warn({ err: error }, 'the MQTT client reports an error'));
    client.start();
    return client;
  }

  /**
   * Changes over to a further certificate: the connection goes on until the next one, with the same client id, is
   * subscribed. What was published and not acknowledged meanwhile is rejected, and its sender keeps it.
   * @throws NotSentError where the next one does not come about: all is as before
   */
  async replace(credentials: Pick<AwsCloudLinkOptions, 'certificate' | 'key' | 'ca'>): Promise<void> {
    const before = this.#client;
    if (!before || this.#next || this.#stopping) throw new NotSentError('no connection to replace');
    const options = { ...this.#options, ...credentials };
    const { replaceTimeoutMs = replaceTimeoutMsDefault } = options;
    const next = this.#open(options);
    this.#next = next;
    let failure = `not connected within ${replaceTimeoutMs} ms`;
    next.on('connectionFailure', ({ error }) => {
      failure = describe(error);
    });
    const until = Date.now() + replaceTimeoutMs;
    while (this.#next === next && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
    if (this.#next === next) {
      this.#next = undefined;
      next.stop();
      next.close();
      // It may have been ended for the next one's sake, which then failed.
      if (!this.#stopping) before.start();
      throw new NotSentError(`the new certificate: ${failure}`);
    }
    this.#options = options;
    before.stop();
    before.close();
  }

  async publish(topicName: string, payload: string): Promise<void> {
    if (!this.#client || !this.#connected) throw new NotSentError(`${topicName}: not connected`);
    let reasonCode: number | undefined;
    try {
      reasonCode = (await this.#client.publish({ topicName, payload, qos: mqtt5.QoS.AtLeastOnce }))
        ?.reasonCode;
    } catch (error) {
      throw new NotSentError(`${topicName}: ${describe(error)}`, { cause: error });
    }
    if (reasonCode !== undefined && reasonCode >= failureReasonCodeMin) {
      throw new NotSentError(`${topicName}: refused with reason code ${reasonCode}; see the policy`);
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#next?.stop();
    const client = this.#client;
    if (!client) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, stopTimeoutMs);
      client.on('stopped', () => {
        clearTimeout(timer);
        resolve();
      });
      client.stop({ reasonCode: mqtt5.DisconnectReasonCode.NormalDisconnection });
    });
    client.close();
    this.#client = undefined;
    this.#connected = false;
  }

  async #subscribe(client: mqtt5.Mqtt5Client): Promise<void> {
    const session = ++this.#session;
    const { subscriptions, log } = this.#options;
    try {
      const batches = Array.from({ length: Math.ceil(subscriptions.length / filtersMax) }, (_, index) =>
        subscriptions.slice(index * filtersMax, (index + 1) * filtersMax),
      );
      const answers = await Promise.all(
        batches.map((batch) =>
          client.subscribe({ subscriptions: batch.map(({ filter, qos }) => ({ topicFilter: filter, qos })) }),
        ),
      );
      if (session !== this.#session || this.#stopping) return;
      const refused = batches.flatMap((batch, at) =>
        batch.filter((_, index) => (answers[at]?.reasonCodes[index] ?? 0) >= failureReasonCodeMin),
      );
      for (const { filter } of refused) {
        log.error({ filter }, 'the broker refused a subscription: see the policy of this certificate');
      }
      if (client === this.#next) {
        this.#client = client;
        this.#next = undefined;
      }
      this.#connected = true;
      this.#events.onConnected();
    } catch (error) {
      // The connection went meanwhile: the client makes another one, with subscriptions of its own.
      log.warn({ reason: describe(error) }, 'subscribing failed');
    }
  }

  /** What a person should look at when no connection comes about. */
  #remedy(errorName: string | undefined, answered: boolean): string {
    const { endpoint, clientId } = this.#options;
    if (answered) {
      return `The broker refuses ${clientId}: is the certificate attached to this thing, active, and has it its policy?`;
    }
    if (errorName?.includes('TLS') || errorName === 'AWS_IO_SOCKET_CLOSED') {
      return `The handshake with ${endpoint} failed: is this certificate registered and active there, and is cloud.ca the CA of that endpoint?`;
    }
    return `${endpoint} (cloud.mqtt in config.toml) can't be reached; it is tried again and again.`;
  }

  #down(reason: string): void {
    this.#session += 1;
    this.#connected = false;
    if (!this.#stopping) this.#events.onDisconnected(reason);
  }
}

function asBytes(payload: unknown): Uint8Array {
  if (typeof payload === 'string') return Buffer.from(payload);
  if (ArrayBuffer.isView(payload))
    return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload);
  return new Uint8Array();
}

function describe(error: unknown, reasonCode?: number): string {
  const name =
    typeof error === 'object' && error !== null && 'error_name' in error
      ? String(error.error_name)
      : undefined;
  const text = error instanceof Error ? error.message : String(error);
  const code = reasonCode === undefined ? '' : ` (MQTT reason code ${reasonCode})`;
  return `${name ? `${name}: ` : ''}${text}${code}`;
}

function clientConfig({
  endpoint,
  certificate,
  key,
  ca,
  clientId,
}: AwsCloudLinkOptions): mqtt5.Mqtt5ClientConfig {
  const colon = endpoint.lastIndexOf(':');
  const builder = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromMemory(
    endpoint.slice(0, colon),
    certificate,
    key,
  )
    .withPort(Number(endpoint.slice(colon + 1)))
    .withConnectProperties({ clientId, keepAliveIntervalSeconds: keepAliveSeconds })
    .withSessionBehavior(mqtt5.ClientSessionBehavior.Clean)
    .withOfflineQueueBehavior(mqtt5.ClientOperationQueueBehavior.FailAllOnDisconnect)
    .withRetryJitterMode(mqtt5.RetryJitterType.Full)
    .withMinReconnectDelayMs(reconnectDelayMsMin)
    .withMaxReconnectDelayMs(reconnectDelayMsMax)
    .withMinConnectedTimeToResetReconnectDelayMs(steadyMs)
    .withConnackTimeoutMs(connackTimeoutMs)
    .withPingTimeoutMs(pingTimeoutMs)
    .withAckTimeoutSeconds(ackTimeoutSeconds);
  if (ca !== undefined) builder.withCertificateAuthority(ca);
  return builder.build();
}
