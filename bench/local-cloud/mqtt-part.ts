/** Shadow updates over MQTT: with the AWS SDK's client, one in flight; and from 50 connections of MQTT.js. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { iot, mqtt5 } from 'aws-iot-device-sdk-v2';
import mqtt, { type MqttClient } from 'mqtt';
import type { ReadyLine } from '../../local-fleet/ready-line.ts';
import { type Quantiles, quantiles } from '../sign/quantiles.ts';
import type { Device } from './cloud.ts';

export const connectionsMany = 50;
/** AWS takes ten of a connection. */
const inFlight = 10;
const warmUpUpdates = 300;

const prefixOf = (device: Device) => `$aws/things/${device.id}/shadow/name/status/update`;
const updateOf = (n: number) =>
  JSON.stringify({ state: { reported: { height: n, peers: 12 } }, clientToken: `t-${n}` });

/** From the publish to the SDK's `messageReceived` of accepted. */
export async function oneInFlight(ready: ReadyLine, device: Device, updates: number): Promise<Quantiles> {
  const [, port = ''] = ready.mqtt.split(':');
  const config = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromMemory(
    'localhost',
    device.cert,
    device.key,
  );
  config.withPort(Number(port));
  config.withCertificateAuthority(readFileSync(ready.ca, 'utf8'));
  config.withConnectProperties({ clientId: device.id, keepAliveIntervalSeconds: 60 });
  // By default the SDK's client holds itself to AWS's 100 publishes a second: in a loop each would wait for its turn of 10 ms.
  config.withExtendedValidationAndFlowControlOptions(mqtt5.ClientExtendedValidationAndFlowControl.None);
  const client = new mqtt5.Mqtt5Client(config.build());
  const connected = once(client, 'connectionSuccess');
  client.start();
  await connected;
  await client.subscribe({
    subscriptions: [{ topicFilter: `${prefixOf(device)}/accepted`, qos: mqtt5.QoS.AtLeastOnce }],
  });
  const times: number[] = [];
  for (let n = -warmUpUpdates; n < updates; n++) {
    const accepted = once(client, 'messageReceived');
    const since = performance.now();
    const published = client.publish({
      topicName: prefixOf(device),
      qos: mqtt5.QoS.AtLeastOnce,
      payload: updateOf(n + warmUpUpdates),
    });
    await accepted;
    if (n >= 0) times.push(performance.now() - since);
    await published;
  }
  const stopped = once(client, 'stopped');
  client.stop();
  await stopped;
  client.close();
  return quantiles(times);
}

export async function connectDevice(ready: ReadyLine, device: Device): Promise<MqttClient> {
  const client = mqtt.connect(`mqtts://${ready.mqtt}`, {
    ca: readFileSync(ready.ca),
    cert: device.cert,
    key: device.key,
    clientId: device.id,
    protocolVersion: 5,
    reconnectPeriod: 0,
    keepalive: 60,
  });
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
    client.once('close', () => reject(new Error(`${device.id}: closed before it was connected`)));
  });
  client.on('error', () => undefined);
  return client;
}

/** Durable updates a second that were accepted, with ten in flight on each connection. */
export async function manyConnections(
  ready: ReadyLine,
  devices: readonly Device[],
  seconds: number,
): Promise<{ perSecond: number; ms: Quantiles }> {
  const times: number[] = [];
  let isMeasuring = false;
  let isOver = false;
  const clients = await Promise.all(devices.map((device) => connectDevice(ready, device)));
  await Promise.all(
    clients.map(async (client, index) => {
      const device = devices[index];
      if (!device) return;
      const sent = new Map<string, number>();
      let n = 0;
      const next = () => {
        if (isOver) return;
        n++;
        sent.set(`t-${n}`, performance.now());
        client.publish(prefixOf(device), updateOf(n), { qos: 1 });
      };
      client.on('message', (_topic, payload) => {
        const token = /"clientToken":"([^"]+)"/.exec(payload.toString('latin1'))?.[1] ?? '';
        const since = sent.get(token);
        sent.delete(token);
        if (isMeasuring && since !== undefined) times.push(performance.now() - since);
        next();
      });
      await client.subscribeAsync(`${prefixOf(device)}/accepted`, { qos: 0 });
      for (let count = 0; count < inFlight; count++) next();
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  isMeasuring = true;
  const since = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const perSecond = Math.round(times.length / ((performance.now() - since) / 1000));
  isMeasuring = false;
  isOver = true;
  await Promise.all(clients.map((client) => client.endAsync(true)));
  return { perSecond, ms: quantiles(times) };
}
