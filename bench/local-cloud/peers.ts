/** The emulators that the local cloud is measured against: from PyPI, pinned, in a venv of the checkout's cache, on loopback. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, renameSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../local-fleet/processes/ports.ts';
import type { Place } from './raw-http.ts';

const pinned = { ministack: '1.5.33', 'moto[server]': '5.2.5' };
export type PeerName = 'ministack' | 'moto';

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
const readyMsMax = 60_000;

/** Made once a set of versions. @returns its folder of programs */
export function peersBin(say: (line: string) => void): string {
  const cache = resolve(process.env.BEAM_CHECKOUT ?? '.', 'node_modules/.cache');
  const venv = join(cache, `beam-peers-${Object.values(pinned).join('-')}`);
  if (!existsSync(venv)) {
    say(
      `installing ${Object.entries(pinned)
        .map(([name, version]) => `${name} ${version}`)
        .join(', ')} into ${venv}`,
    );
    const temporary = `${venv}.${process.pid}.tmp`;
    execFileSync('python3', ['-m', 'venv', temporary], { stdio: 'inherit' });
    const packages = Object.entries(pinned).map(([name, version]) => `${name}==${version}`);
    execFileSync(join(temporary, 'bin/python'), ['-m', 'pip', 'install', '--quiet', ...packages], {
      stdio: ['ignore', 2, 2],
    });
    renameSync(temporary, venv);
  }
  return join(venv, 'bin');
}

export interface Peer {
  name: PeerName;
  version: string;
  child: ChildProcess;
  place: Place;
}

/** A venv that was renamed has scripts of another path: programs are started as modules. */
export async function startPeer(bin: string, name: PeerName): Promise<Peer> {
  const [port = 0] = await freePorts(1);
  const folder = mkdtempSync(join(tmpdir(), `beam-bench-${name}-`));
  const args =
    name === 'moto' ? ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)] : ['-m', 'ministack.app'];
  const child = spawn(join(bin, 'python'), args, {
    cwd: folder,
    env: {
      ...process.env,
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      LOG_LEVEL: 'ERROR',
      // Its MQTT port listens on every address, whatever BIND_HOST says.
      IOT_MTLS_ENABLED: '0',
    },
    stdio: ['ignore', openSync(join(folder, 'out'), 'w'), openSync(join(folder, 'err'), 'w')],
  });
  const end = performance.now() + readyMsMax;
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() > end) {
      child.kill('SIGKILL');
      throw new Error(`${name} did not start: see ${folder}`);
    }
    await delay(100);
  }
  const version = name === 'moto' ? pinned['moto[server]'] : pinned.ministack;
  return { name, version, child, place: { host: '127.0.0.1', port, credentials } };
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}
