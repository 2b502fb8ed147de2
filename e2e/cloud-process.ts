/** The local cloud as a process of its own, and devices that are registered with it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { IoTClient } from '@aws-sdk/client-iot';
import { IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { createCsr } from '../certs-scripts/csr.ts';
import { makeDeviceKey } from '../certs-scripts/device-key.ts';
import { registerServer } from '../certs-scripts/register.ts';

const bundles = process.env.BEAM_BUNDLES ?? '';

export interface Ready {
  mqtt: string;
  https: string;
  socket?: string;
  credentialProvider?: string | undefined;
  ca: string;
  accessKeyId: string;
  secretAccessKey: string;
}

const children = new Set<ChildProcess>();

/** Of a test's own; ends what it started. */
export async function endAll(): Promise<void> {
  for (const child of children) await end(child, 'SIGKILL');
}

const bundle = [process.execPath, join(bundles, 'local-cloud.js')];

/** @param folder holds the cloud's data, in `cloud` */
export function launch(folder: string, ...more: string[]) {
  return launchBy(bundle, folder, ...more);
}

/** @param command the bundle itself, or `beam cloud` */
function launchBy(
  command: readonly string[],
  folder: string,
  ...more: string[]
): { child: ChildProcess; output: () => string; errors: () => string } {
  const data = join(folder, 'cloud');
  const ports = ['--mqtt-port', '0', '--https-port', '0'];
  const [program = '', ...args] = [...command, '--data', data, ...ports, '--json', ...more];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let output = '';
  let errors = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  return { child, output: () => output, errors: () => errors };
}

interface Started {
  child: ChildProcess;
  ready: Ready;
  startMs: number;
}

export function start(folder: string, ...more: string[]): Promise<Started> {
  return startBy(bundle, folder, ...more);
}

export async function startBy(
  command: readonly string[],
  folder: string,
  ...more: string[]
): Promise<Started> {
  const since = performance.now();
  const { child, output, errors } = launchBy(command, folder, ...more);
  const exited = once(child, 'exit').then(() => {
    throw new Error(`the local cloud ended: ${errors()}`);
  });
  exited.catch(() => undefined);
  while (!output().includes('\n')) {
    await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, 10))]);
  }
  return { child, ready: JSON.parse(output()) as Ready, startMs: performance.now() - since };
}

export async function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
  return child.exitCode;
}

/** Children of a process, from /proc. */
export function childrenOf(pid: number | undefined): number[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split(' ').filter(Boolean).map(Number) : [];
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

export async function gone(pids: number[]): Promise<boolean> {
  for (let tries = 0; tries < 300 && pids.some(isAlive); tries++) await new Promise((r) => setTimeout(r, 10));
  return !pids.some(isAlive);
}

export function clients(ready: Ready) {
  const options = () => ({
    endpoint: ready.https,
    region: 'local',
    credentials: ready,
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({
      httpsAgent: new Agent({ ca: readFileSync(ready.ca), keepAlive: true }),
    }),
  });
  return {
    iot: new IoTClient(options()),
    data: new IoTDataPlaneClient(options()),
    lambda: new LambdaClient(options()),
  };
}

export interface Device {
  thing: string;
  certificateArn: string;
  certificatePem: string;
  keyPem: string;
}

export async function register(iot: IoTClient, node: string): Promise<Device> {
  const keyPem = makeDeviceKey();
  const csr = await createCsr(keyPem, `demo_${node}`);
  const registered = await registerServer(iot, { fleet: 'demo', node, kind: 'validator', zone: 'a' }, csr);
  return { ...registered, keyPem };
}

/** @param more for instance `manualConnect`: then it is not waited for */
export async function connect(ready: Ready, device: Device, more: IClientOptions = {}): Promise<MqttClient> {
  const client = mqtt.connect(`mqtts://${ready.mqtt}`, {
    ca: readFileSync(ready.ca),
    cert: device.certificatePem,
    key: device.keyPem,
    clientId: device.thing,
    reconnectPeriod: 0,
    ...more,
  });
  client.on('error', () => undefined);
  if (more.manualConnect) return client;
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('close', () => reject(new Error('closed before it was connected')));
  });
  return client;
}
