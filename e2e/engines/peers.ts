/**
 * Emulators of AWS that are not ours, from PyPI, pinned, in a venv of the checkout's cache, on loopback: the engines that Beam is
 * tested on (`npm run test:ministack`) and that the local cloud is measured against (`npm run bench:local-cloud`).
 */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** moto[server] would bring CloudFormation's linter and much else along: this is what a fleet needs of it. */
const pinned = {
  ministack: '1.5.33',
  'moto[awslambda,dynamodb,iotdata]': '5.2.5',
  flask: '3.1.3',
  'flask-cors': '6.0.5',
  // Without it MiniStack has no MQTT port.
  cryptography: '50.0.2',
};
export const peerVersions = {
  ministack: pinned.ministack,
  moto: pinned['moto[awslambda,dynamodb,iotdata]'],
};
export type PeerName = keyof typeof peerVersions;
/** Both take these for the account's own. */
export const peerCredentials = { accessKeyId: 'test', secretAccessKey: 'test' };

const readyMsMax = 60_000;
const endMsMax = 5_000;
/** Of a log, for an error. */
const lastWordsCharsMax = 1_500;

const checkout = () => process.env.BEAM_CHECKOUT ?? '.';

/** Raised when the engines can't be had on this machine; says what to install. */
export class PeersMissingError extends Error {
  override readonly name = 'PeersMissingError';
}

/**
 * Installs them, once a set of versions.
 * @returns the venv's folder of programs
 * @throws PeersMissingError
 */
export function peersBin(say: (line: string) => void): string {
  const cache = resolve(checkout(), 'node_modules/.cache');
  const venv = join(cache, `beam-engines-${peerVersions.ministack}-${peerVersions.moto}`);
  if (existsSync(venv)) return join(venv, 'bin');
  // Debian's python3 without python3-venv has venv, and no pip to put into one.
  if (spawnSync('python3', ['-c', 'import ensurepip, venv'], { stdio: 'ignore' }).status !== 0) {
    throw new PeersMissingError(
      'python3 with venv and pip is not installed (Debian: apt-get install python3 python3-venv)',
    );
  }
  const packages = Object.entries(pinned).map(([name, version]) => `${name}==${version}`);
  say(`installing ${packages.join(', ')} into ${venv}`);
  const temporary = `${venv}.${process.pid}.tmp`;
  try {
    execFileSync('python3', ['-m', 'venv', temporary], { stdio: ['ignore', 2, 2] });
    const pip = ['-m', 'pip', 'install', '--quiet', '--no-compile', '--disable-pip-version-check'];
    execFileSync(join(temporary, 'bin/python'), [...pip, ...packages], { stdio: ['ignore', 2, 2] });
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw new PeersMissingError(
      `pip could not install ${packages.join(', ')}; what it says is above. Is PyPI, or your mirror of it, within reach?`,
      { cause: error },
    );
  }
  renameSync(temporary, venv);
  return join(venv, 'bin');
}

export interface PeerOptions {
  /** Absolute; logs and whatever the engine writes. */
  folder: string;
  port: number;
  /** PEM files; left out: plain HTTP. */
  tls?: { certificate: string; key: string; ca: string };
  /** MiniStack's, mutual TLS; left out: none. */
  mqttPort?: number;
}

export interface Peer {
  child: ChildProcess;
  log: string;
  stop(): Promise<void>;
}

/** A venv that was renamed has scripts of another path: programs are started as modules. @throws Error with its last words */
export async function startPeer(bin: string, name: PeerName, options: PeerOptions): Promise<Peer> {
  const { folder, port, tls, mqttPort } = options;
  const log = join(folder, `${name}.log`);
  const output = openSync(log, 'w');
  const args = {
    ministack: [resolve(checkout(), 'e2e/engines/on_loopback.py')],
    moto: [
      ...['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
      ...(tls ? ['-c', tls.certificate, '-k', tls.key] : []),
    ],
  }[name];
  const child = spawn(join(bin, 'python'), args, {
    cwd: folder,
    // A group of its own: the functions that MiniStack runs end with it.
    detached: true,
    env: { ...process.env, TMPDIR: folder, ...environmentOf[name](port, tls, mqttPort) },
    stdio: ['ignore', output, output],
  });
  const killGroup = () => killGroupOf(child);
  process.once('exit', killGroup);
  const stop = async () => {
    process.removeListener('exit', killGroup);
    const ended = child.exitCode !== null || new Promise<void>((done) => child.once('exit', () => done()));
    child.kill('SIGTERM');
    await Promise.race([ended, delay(endMsMax)]);
    killGroup();
  };
  const ports = mqttPort === undefined ? [port] : [port, mqttPort];
  const end = performance.now() + readyMsMax;
  for (const each of ports) {
    while (!(await answers('127.0.0.1', each))) {
      if (child.exitCode !== null || performance.now() > end) {
        await stop();
        throw new Error(`${name} does not listen on port ${each}; its log (${log}) ends:\n${lastWords(log)}`);
      }
      await delay(50);
    }
  }
  const open = await openToOthers(ports);
  if (open !== undefined) {
    await stop();
    throw new Error(`${name} listens on ${open}, beside loopback: it was ended (e2e/engines/on_loopback.py)`);
  }
  return { child, log, stop };
}

const environmentOf: Record<
  PeerName,
  (port: number, tls: PeerOptions['tls'], mqttPort: number | undefined) => Record<string, string>
> = {
  ministack: (port, tls, mqttPort) => ({
    BIND_HOST: '127.0.0.1',
    GATEWAY_PORT: String(port),
    LOG_LEVEL: 'WARNING',
    ...(tls && {
      USE_SSL: '1',
      MINISTACK_SSL_CERT: tls.certificate,
      MINISTACK_SSL_KEY: tls.key,
      // Of the functions that it runs, which call it back.
      NODE_EXTRA_CA_CERTS: tls.ca,
    }),
    ...(mqttPort === undefined ? { IOT_MTLS_ENABLED: '0' } : { IOT_MTLS_PORT: String(mqttPort) }),
  }),
  // AWS's own policies are left out unless they are asked for.
  moto: () => ({ MOTO_IAM_LOAD_MANAGED_POLICIES: 'true' }),
};

function killGroupOf({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** @returns the first address of this machine, loopback aside, that answers on one of the ports */
async function openToOthers(ports: readonly number[]): Promise<string | undefined> {
  const addresses = Object.values(networkInterfaces())
    .flatMap((addressesOfOne) => addressesOfOne ?? [])
    .filter(({ internal, scopeid = 0 }) => !internal && scopeid === 0)
    .map(({ address }) => address);
  for (const address of addresses)
    for (const port of ports) if (await answers(address, port)) return `${address} port ${port}`;
  return undefined;
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: 1_000 });
    const say = (answer: boolean) => {
      socket.destroy();
      done(answer);
    };
    socket.once('connect', () => say(true));
    socket.once('timeout', () => say(false));
    socket.once('error', () => say(false));
  });
}

export function lastWords(log: string): string {
  return readFileSync(log, 'utf8').trim().slice(-lastWordsCharsMax);
}
