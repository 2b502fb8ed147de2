/** The local cloud as a process of its own, and devices that are registered with it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import {
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  CreateThingCommand,
  IoTClient,
} from '@aws-sdk/client-iot';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { bundleCommands, ownBundles } from '../../local-fleet/bundles.ts';
import { type ReadyLine, waitForReadyLine } from '../../local-fleet/ready-line.ts';

export interface CloudProcess {
  child: ChildProcess;
  ready: ReadyLine;
  /** From the process's start to its ready line. */
  startMs: number;
}

const readyMsMax = 120_000;
let runs = 0;

/** @param more further arguments of `local-cloud` */
export async function startCloud(folder: string, more: readonly string[] = []): Promise<CloudProcess> {
  mkdirSync(folder, { recursive: true });
  const out = join(folder, `out-${++runs}`);
  const since = performance.now();
  const [node = '', ...args] = bundleCommands(ownBundles()).cloud;
  args.push('--data', join(folder, 'data'), '--json', '--mqtt-port', '0', '--https-port', '0');
  args.push('--log-level', 'warn', ...more);
  const child = spawn(node, args, {
    stdio: ['ignore', openSync(out, 'w'), openSync(join(folder, 'log'), 'a')],
  });
  const ended = () =>
    child.exitCode === null && child.signalCode === null
      ? undefined
      : `the cloud ended: ${readFileSync(join(folder, 'log'), 'utf8')}`;
  const ready = await waitForReadyLine(out, ended, AbortSignal.timeout(readyMsMax));
  return { child, ready, startMs: performance.now() - since };
}

export async function endProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

/** Of the whole process, from /proc. */
export function residentMegabytes(pid: number | undefined): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(found?.[1] ?? 0) / 1024);
}

/** User and system time of all of a process's threads, from /proc: ticks of 10 ms. */
export function cpuMs(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export interface Device {
  id: string;
  cert: string;
  key: string;
}

const policyName = 'bench';

export class Registrar {
  readonly #iot: IoTClient;

  constructor(ready: ReadyLine) {
    this.#iot = new IoTClient({
      endpoint: ready.https,
      region: ready.region,
      credentials: ready,
      requestHandler: new NodeHttpHandler({
        httpsAgent: new Agent({ ca: readFileSync(ready.ca), keepAlive: true, maxSockets: 20 }),
      }),
    });
  }

  get iot(): IoTClient {
    return this.#iot;
  }

  async allowAll(): Promise<void> {
    const policyDocument = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'iot:*', Resource: '*' }],
    });
    await this.#iot.send(new CreatePolicyCommand({ policyName, policyDocument }));
  }

  /** Things with a certificate each. */
  async devices(names: readonly string[]): Promise<Device[]> {
    const waiting = [...names];
    const made: Device[] = [];
    const worker = async () => {
      for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) made.push(await this.#device(id));
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    return made;
  }

  async #device(id: string): Promise<Device> {
    const { certificateArn, certificatePem, keyPair } = await this.#iot.send(
      new CreateKeysAndCertificateCommand({ setAsActive: true }),
    );
    if (!certificateArn || !certificatePem || !keyPair?.PrivateKey)
      throw new Error(`No certificate for ${id}`);
    await this.#iot.send(new CreateThingCommand({ thingName: id }));
    await this.#iot.send(new AttachThingPrincipalCommand({ thingName: id, principal: certificateArn }));
    await this.#iot.send(new AttachPolicyCommand({ policyName, target: certificateArn }));
    return { id, cert: certificatePem, key: keyPair.PrivateKey };
  }

  close(): void {
    this.#iot.destroy();
  }
}
