/** A share of the pilots, in a process of its own: connections of MQTT.js, each as a pilot uses its one. */

import { setTimeout as delay } from 'node:timers/promises';
import mqtt, { type MqttClient } from 'mqtt';
import type { Device } from './cloud.ts';

export interface PilotsOrder {
  mqtt: string;
  ca: string;
  devices: Device[];
  connectsPerSecond: number;
}

/** What the parent hears, and says: `order`, then `stop`. */
export type FromPilots =
  | { kind: 'connected'; seconds: number }
  | { kind: 'result'; deltaMs: number[]; drops: number; refused: number; health: number };

export const shadowNames = ['role', 'gaiad', 'status'] as const;
const healthEveryMs = 10_000;

/** @returns the client once it has its subscription and its three shadows */
async function connectPilot(
  { mqtt: place, ca }: PilotsOrder,
  device: Device,
  onDelta: (ms: number) => void,
): Promise<MqttClient> {
  const prefix = `$aws/things/${device.id}/shadow/name`;
  const client = mqtt.connect(`mqtts://${place}`, {
    ca,
    cert: device.cert,
    key: device.key,
    clientId: device.id,
    protocolVersion: 5,
    reconnectPeriod: 0,
    keepalive: 60,
    connectTimeout: 60_000,
  });
  client.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('close', () => reject(new Error('refused')));
  });
  client.on('message', (_topic, payload) => {
    const { state } = JSON.parse(payload.toString()) as { state: { sentAt?: number } };
    if (state.sentAt !== undefined) onDelta(performance.timeOrigin + performance.now() - state.sentAt);
  });
  await client.subscribeAsync(`${prefix}/+/update/delta`, { qos: 1 });
  for (const name of shadowNames) {
    const state = { reported: { role: 'standby', epoch: 1, since: 0 } };
    await client.publishAsync(`${prefix}/${name}/update`, JSON.stringify({ state }), { qos: 1 });
  }
  return client;
}

export async function runPilots(order: PilotsOrder, tell: (message: FromPilots) => void): Promise<void> {
  const deltaMs: number[] = [];
  const counts = { drops: 0, refused: 0, health: 0 };
  const clients: MqttClient[] = [];
  const timers: NodeJS.Timeout[] = [];
  let isOver = false;
  const since = performance.now();
  const begin = async (device: Device) => {
    try {
      const client = await connectPilot(order, device, (ms) => deltaMs.push(ms));
      client.on('close', () => {
        if (!isOver) counts.drops++;
      });
      clients.push(client);
      const [fleet = ''] = device.id.split('_');
      let seq = 0;
      const health = () => {
        const message = {
          v: 1,
          thing: device.id,
          bootId: 'bench',
          seq: ++seq,
          at: Date.now(),
          height: 1_000_000 + seq,
        };
        client.publish(`beam/${fleet}/${device.id}/health`, JSON.stringify(message), { qos: 1 }, (error) => {
          if (!error) counts.health++;
        });
      };
      timers.push(
        setTimeout(() => timers.push(setInterval(health, healthEveryMs)), Math.random() * healthEveryMs),
      );
    } catch {
      counts.refused++;
    }
  };
  const begun: Promise<void>[] = [];
  for (const [index, device] of order.devices.entries()) {
    const dueMs = (index * 1000) / order.connectsPerSecond - (performance.now() - since);
    if (dueMs > 0) await delay(dueMs);
    begun.push(begin(device));
  }
  await Promise.all(begun);
  tell({ kind: 'connected', seconds: (performance.now() - since) / 1000 });
  await new Promise<void>((resolve) => process.once('message', () => resolve()));
  isOver = true;
  for (const timer of timers) clearInterval(timer);
  tell({ kind: 'result', deltaMs, ...counts });
  await Promise.all(clients.map((client) => client.endAsync(true)));
}
