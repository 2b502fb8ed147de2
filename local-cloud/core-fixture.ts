/** A local cloud for tests, in this process, with devices that have real certificates and connect over real TLS. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import pino from 'pino';
import { type Core, type CoreOptions, openCore, type Ready } from './core.ts';
import type { RuleLoader } from './https/rules-api.ts';
import { arn } from './registry/arns.ts';

export interface Device {
  thing: string;
  certificateId: string;
  certificatePath: string;
  keyPath: string;
  certificatePem: string;
  keyPem: string;
}

export interface LogLine {
  level: number;
  msg: string;
  [member: string]: unknown;
}

export interface TestCloud {
  core: Core;
  ready: Ready;
  dataDir: string;
  port: number;
  caPem: string;
  log: LogLine[];
  /** A thing with a certificate that is attached to it, and the policies of these names. */
  device(thing: string, policies?: string[]): Promise<Device>;
  /** @param id the client id; the thing's name where it is left out */
  connect(device: Device, options?: IClientOptions): Promise<MqttClient>;
  close(): Promise<void>;
}

export const allowAll = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'iot:*', Resource: '*' }],
});

const noRules: RuleLoader = { load: () => undefined, remove: () => undefined };

export async function openTestCloud(
  options: Partial<CoreOptions> & { rules?: RuleLoader } = {},
): Promise<TestCloud> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'beam-cloud-'));
  const log: LogLine[] = [];
  const logger = pino(
    { level: 'debug' },
    { write: (line: string) => void log.push(JSON.parse(line) as LogLine) },
  );
  const core = await openCore(
    { mqttPort: 0, httpsPort: 0, log: logger, ...options, dataDir },
    () => options.rules ?? noRules,
  );
  const access = await core.listenHttps(async (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' });
    response.end('{}');
  });
  const ready: Ready = { ready: true, mqtt: await core.listenMqtt(), ...access };
  await core.registry.policies.ensure('all', allowAll);
  const clients: MqttClient[] = [];
  const port = Number(ready.mqtt.split(':')[1]);
  const caPem = readFileSync(ready.ca, 'utf8');

  return {
    core,
    ready,
    dataDir,
    port,
    caPem,
    log,
    async device(thing, policies = ['all']) {
      const { record, privateKeyPem } = await core.registry.certificates.createWithKeys(true);
      const { certificateId, pem } = record;
      await core.registry.things.create(thing);
      await core.registry.things.attach(thing, certificateId);
      for (const policy of policies) await core.registry.policies.attach(policy, arn('cert', certificateId));
      const certificatePath = join(dataDir, `${thing}.pem`);
      const keyPath = join(dataDir, `${thing}-key.pem`);
      writeFileSync(certificatePath, pem);
      writeFileSync(keyPath, privateKeyPem, { mode: 0o600 });
      return { thing, certificateId, certificatePath, keyPath, certificatePem: pem, keyPem: privateKeyPem };
    },
    async connect(device, extra = {}) {
      const client = mqtt.connect({
        protocol: 'mqtts',
        host: 'localhost',
        port,
        ca: caPem,
        cert: device.certificatePem,
        key: device.keyPem,
        clientId: device.thing,
        reconnectPeriod: 0,
        keepalive: 60,
        ...extra,
      });
      clients.push(client);
      client.on('error', () => undefined);
      if (extra.manualConnect) return client;
      await new Promise<void>((resolve, reject) => {
        client.once('connect', () => resolve());
        client.once('error', reject);
        client.once('close', () => reject(new Error('closed before it was connected')));
      });
      return client;
    },
    async close() {
      await Promise.all(clients.map((client) => client.endAsync(true)));
      await core.close();
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export interface Heard {
  topic: string;
  text: string;
  qos: number;
  retain: boolean;
  dup: boolean;
}

/** Collects what a client receives; `until` waits for a number of messages. */
export function listen(client: MqttClient) {
  const heard: Heard[] = [];
  client.on('message', (topic, payload, { qos, retain, dup }) => {
    heard.push({ topic, text: payload.toString(), qos, retain, dup });
  });
  return {
    heard,
    texts: () => heard.map(({ text }) => text),
    async until(count: number): Promise<Heard[]> {
      await eventually(() => heard.length >= count).catch((error: unknown) => {
        throw new Error(`${heard.length} of ${count} messages: ${JSON.stringify(heard)}`, { cause: error });
      });
      return heard;
    },
  };
}

/** Long enough for what should not come to have come. */
export const settle = () => new Promise((resolve) => setTimeout(resolve, 150));

export async function closed(client: MqttClient): Promise<void> {
  await eventually(() => !client.connected);
}

/** Waits until a condition holds. */
export async function eventually(holds: () => boolean, timeoutMs = 3000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`did not come about: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
