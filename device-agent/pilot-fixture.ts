/** A server for a pilot's tests: a home that is registered with a cloud in this process, and a real process in gaiad's place. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import { eventually, openTestCloud, type TestCloud } from '../local-cloud/core-fixture.ts';
import { overlayHash } from '../protocol/overlay-hash.ts';
import { reportedGaiad, type ShadowName } from '../protocol/shadows.ts';
import type { Stage } from '../protocol/stages.ts';
import { AwsCloudLink } from './cloud/aws-cloud-link.ts';
import { readCredentials } from './cloud/credentials.ts';
import { portOf } from './cloud/line.ts';
import { initHome } from './commands/init.ts';
import { loadHome } from './home/load-home.ts';
import { Pilot } from './pilot.ts';

/** Of one thing to come about; a test is several. */
const waitMs = 15_000;
export const pilotTestMs = 60_000;
const log = pino({ level: process.env.BEAM_TEST_LOG ?? 'silent' });
const fakeGaiad = resolve('device-agent/gaiad/fake-gaiad.js');

async function freePort(): Promise<number> {
  return new Promise((free) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const port = portOf(server);
      server.close(() => free(port));
    });
  });
}

export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

export const happens = (condition: () => boolean) => eventually(condition, waitMs);

/** A cloud, and the servers that a file's tests make on it. */
export class PilotBench {
  readonly cloud: TestCloud;
  readonly #servers: PilotServer[] = [];
  #count = 0;

  private constructor(cloud: TestCloud) {
    this.cloud = cloud;
  }

  static async open(): Promise<PilotBench> {
    return new PilotBench(await openTestCloud());
  }

  async close(): Promise<void> {
    await this.cloud.close();
    // The SDK's native client holds the process up until its wrapper is collected: some 20 s otherwise.
    setFlagsFromString('--expose-gc');
    runInNewContext('gc')();
  }

  async server(kind: 'sentry' | 'validator', mode: Stage = 'sign'): Promise<PilotServer> {
    const server = new PilotServer(this.cloud, `n${++this.#count}`);
    this.#servers.push(server);
    await server.make(kind, mode);
    return server;
  }

  /** After a test: ends the servers that it made. */
  async clear(): Promise<void> {
    for (const server of this.#servers.splice(0)) await server.remove();
  }
}

export class PilotServer {
  readonly thing: string;
  readonly root = mkdtempSync(join(tmpdir(), 'beam-pilot-'));
  /** All that its pilot publishes. */
  readonly heard: { topic: string; body: Record<string, unknown> }[] = [];
  pilot: Pilot | undefined;
  readonly #cloud: TestCloud;
  readonly #node: string;

  constructor(cloud: TestCloud, node: string) {
    this.#cloud = cloud;
    this.#node = node;
    this.thing = `demo_${node}`;
  }

  async make(kind: 'sentry' | 'validator', mode: Stage): Promise<void> {
    const { ready } = this.#cloud;
    const device = await this.#cloud.device(this.thing);
    const rpcPort = await freePort();
    mkdirSync(join(this.root, 'gaiad/config'), { recursive: true });
    writeFileSync(
      join(this.root, 'gaiad/config/config.toml'),
      `# ours\nmoniker = "good"\ngenesis = ${Date.now() - 100_000}\nrpc_port = ${rpcPort}\n[p2p]\npex = true\n[consensus]\ndouble_sign_check_height = 5\n`,
    );
    await initHome({
      home: this.root,
      node: { fleet: 'demo', node: this.#node, kind, zone: 'z' },
      config: {
        mode,
        cloud: {
          mqtt: ready.mqtt,
          region: 'local',
          ca: ready.ca,
          certificate: device.certificatePath,
          key: device.keyPath,
        },
        gaiad: {
          command: [process.execPath, fakeGaiad],
          home: 'gaiad',
          rpc: `http://127.0.0.1:${rpcPort}`,
          p2p: '10.0.0.1:26656',
        },
        ...(kind === 'validator' ? { signer: { chain_id: 'fake-1' } } : {}),
        status: { port: 0 },
        health: { seconds: 1 },
      },
    });
    const listener = await this.#cloud.connect(await this.#cloud.device(`operator-${this.#node}`));
    listener.on('message', (topic, payload) =>
      this.heard.push({ topic, body: JSON.parse(payload.toString()) }),
    );
    await listener.subscribeAsync(`beam/demo/${this.thing}/#`);
  }

  async startPilot(endpoint = this.#cloud.ready.mqtt): Promise<void> {
    // A new server waits some seconds for its first overlay, if only an empty one.
    if (!this.#cloud.core.shadows.read(this.#key('gaiad'))) await this.desire('gaiad', { config: {} });
    const home = await loadHome(this.root);
    const { cloud: settings } = home.config;
    if (!settings) throw new Error('these homes have a cloud');
    const credentials = await readCredentials(home, settings, Date.now());
    this.pilot = new Pilot(
      home,
      (subscriptions, events) =>
        new AwsCloudLink({ endpoint, clientId: home.thing, ...credentials, subscriptions, log }, events),
      log,
    );
    await this.pilot.start();
  }

  async remove(): Promise<void> {
    await this.pilot?.stop();
    const pid = this.gaiadPid();
    if (pid !== undefined) kill(pid);
    rmSync(this.root, { recursive: true, force: true });
  }

  gaiadPid(): number | undefined {
    try {
      return JSON.parse(readFileSync(join(this.root, 'run/gaiad.json'), 'utf8')).pid;
    } catch {
      return undefined;
    }
  }

  /** Another process than this one is its gaiad. */
  gaiadIsNotAnyMore(pid: number | undefined): boolean {
    return (this.gaiadPid() ?? pid) !== pid;
  }

  /** gaiad as the operator's own systemd would run it. */
  runGaiad(): ChildProcess {
    const args = [fakeGaiad, 'start', '--home', join(this.root, 'gaiad')];
    return spawn(process.execPath, args, { stdio: 'ignore' });
  }

  #key(shadow: ShadowName) {
    return { thing: this.thing, shadow };
  }

  async desire(shadow: ShadowName, desired: object): Promise<void> {
    const payload = Buffer.from(JSON.stringify({ state: { desired } }));
    await this.#cloud.core.shadows.request(this.#key(shadow), 'update', payload, { via: 'https' });
  }

  reported(shadow: ShadowName): Record<string, unknown> {
    const document = this.#cloud.core.shadows.read(this.#key(shadow)) as
      | { state: { reported?: Record<string, unknown> } }
      | undefined;
    return document?.state.reported ?? {};
  }

  /** Paths of what the pilot says that it rejected. */
  rejectedPaths(): string[] {
    return reportedGaiad.safeParse(this.reported('gaiad')).data?.rejected.map(({ path }) => path) ?? [];
  }

  /** Waits until gaiad is reported in this state with this overlay, which was found good. */
  gaiadIs(state: string, overlay: object = {}): Promise<void> {
    return happens(() => {
      const now = this.reported('gaiad');
      return now.state === state && now.overlay === overlayHash(overlay) && now.lastGood === now.overlay;
    });
  }

  /** Waits for a message to a topic that ends so. */
  hears(topicEnd: string): Promise<void> {
    return happens(() => this.heard.some(({ topic }) => topic.endsWith(topicEnd)));
  }

  configText(): string {
    return readFileSync(join(this.root, 'gaiad/config/config.toml'), 'utf8');
  }

  setMode(mode: Stage): void {
    const file = join(this.root, 'config.toml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^mode = .*$/m, `mode = "${mode}"`));
  }
}

export interface ConsensusKey {
  address: string;
  /** base64 of seed and public key, as in priv_validator_key.json. */
  value: string;
  /** The file itself. */
  text: string;
}

export function consensusKey(seed: Buffer): ConsensusKey {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const raw = createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(-32);
  const value = Buffer.concat([seed, raw]).toString('base64');
  return {
    address: createHash('sha256').update(raw).digest('hex').slice(0, 40).toUpperCase(),
    value,
    text: JSON.stringify({ priv_key: { type: 'tendermint/PrivKeyEd25519', value } }),
  };
}
