/** The `beam` command from the bundles under test, and a fleet that it brings up. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import mqtt from 'mqtt';
import { consensusAddressOf } from '../local-fleet/data/consensus-key.ts';
import { type ReadyLine, readyLine } from '../local-fleet/ready-line.ts';
import { connectOperator, disconnect, type Operator } from '../operator/actions/operator.ts';
import { readSignRecord } from '../operator/actions/read-fleet.ts';
import { readShadow, type ShadowState } from '../operator/actions/shadow-document.ts';
import type { ShadowName } from '../protocol/shadows.ts';
import { type SignRecord, signRecordKey } from '../protocol/sign-record.ts';

const bundles = process.env.BEAM_BUNDLES ?? '';
const upTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The command, as its file and leading arguments. */
export function beamCommand(): string[] {
  return [process.execPath, join(bundles, 'beam.js')];
}

function spawnBeam(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [join(bundles, 'beam.js'), ...args], {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs a command to its end. */
export async function beam(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = spawnBeam(args, env);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

export async function until<T>(
  what: string,
  read: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 20_000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const found = await read();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`);
    await delay(100);
  }
}

/** Processes that run in `folder` or name it in their command line, as `pid command`. */
export function processesIn(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
        if (command === '') return [];
        const inside = readlinkSync(`/proc/${pid}/cwd`).startsWith(folder) || command.includes(folder);
        return inside ? [`${pid} ${command}`] : [];
      } catch {
        // Ended meanwhile.
        return [];
      }
    });
}

export interface ShadowSides {
  desired: Record<string, unknown>;
  reported: Record<string, unknown>;
}

function asObject(side: ShadowState['desired']): Record<string, unknown> {
  return typeof side === 'object' && side !== null && !Array.isArray(side) ? side : {};
}

/** A fleet under `beam up`, in a folder of its own. */
export class RunningFleet {
  readonly data: string;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;
  output = '';
  #ready: ReadyLine | undefined;
  #cloud: Operator | undefined;

  private constructor(data: string, args: readonly string[]) {
    this.data = data;
    this.#args = args;
  }

  static async up(args: readonly string[]): Promise<RunningFleet> {
    const fleet = new RunningFleet(await mkdtemp(join(tmpdir(), 'beam-e2e-')), args);
    await fleet.start();
    return fleet;
  }

  async start(): Promise<void> {
    this.output = '';
    const child = spawnBeam(['up', '--data', this.data, ...this.#args]);
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    await until(
      'the fleet is up',
      () => {
        if (child.exitCode !== null) throw new Error(`beam up ended with ${child.exitCode}:\n${this.output}`);
        return this.output.includes('the fleet is up after') ? true : undefined;
      },
      upTimeoutMs,
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.output}`);
    });
    this.#ready = readyLine.parse(JSON.parse(readFileSync(join(this.data, 'local.json'), 'utf8')));
    const { region, https, ca, accessKeyId, secretAccessKey } = this.#ready;
    const credentials = { accessKeyId, secretAccessKey };
    this.#cloud = connectOperator({ region, endpoint: https, ca, credentials });
  }

  get ready(): ReadyLine {
    if (!this.#ready) throw new Error('the fleet is not up');
    return this.#ready;
  }
  get cloud(): Operator {
    if (!this.#cloud) throw new Error('the fleet is not up');
    return this.#cloud;
  }
  /** AWS's own client of shadows, over HTTPS. */
  get shadows(): IoTDataPlaneClient {
    return this.cloud.iotData;
  }

  /** @returns the exit code of `beam up`. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    const child = this.#process;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    if (this.#cloud) disconnect(this.#cloud);
    const closed = once(child, 'close') as Promise<[number | null]>;
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    const [code] = await closed;
    clearTimeout(timer);
    return code;
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.data, { recursive: true, force: true, maxRetries: 3 });
  }

  beam(...args: string[]): Promise<Ended> {
    return beam([...args, '--data', this.data]);
  }

  /** Undefined where there is none. */
  async shadow(thing: string, name: ShadowName): Promise<ShadowSides | undefined> {
    const state = await readShadow(this.cloud, thing, name);
    return state && { desired: asObject(state.desired), reported: asObject(state.reported) };
  }

  /** The fleet's sign record. */
  async record(): Promise<SignRecord> {
    const { chain } = JSON.parse(readFileSync(join(this.data, 'fleet.json'), 'utf8'));
    const key = signRecordKey(chain.chainId, consensusAddressOf(chain.consensusKeyFile));
    const record = await readSignRecord(this.cloud, key);
    if (!record) throw new Error(`there is no sign record ${key}`);
    return record;
  }

  /** An operator's MQTT connection, as any tool would make it. */
  async operator(): Promise<mqtt.MqttClient> {
    const pki = (name: string) => readFileSync(join(this.data, 'pki', name), 'utf8');
    return mqtt.connectAsync(`mqtts://${this.ready.mqtt}`, {
      ca: readFileSync(this.ready.ca, 'utf8'),
      cert: pki('operator.pem'),
      key: pki('operator.key'),
      clientId: `beam-operator-e2e-${process.pid}`,
      reconnectPeriod: 0,
    });
  }
}
