/**
 * A running server's whole folder copied, with its key, signer state and chain data, and started beside the original: what an
 * image of the machine would do. Only what two machines would not share is changed: ports, and the sockets and pids of
 * `run/`. The copy is taken while the server's processes stand still, as a machine's snapshot is.
 */

import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import TOML from '@iarna/toml';
import { homePaths } from '../../protocol/config.ts';
import { changeToml } from '../chains/sdk-home.ts';
import { socketFolder } from '../data/layout.ts';
import { readJournal } from '../drill/journals.ts';
import type { FleetServer } from '../nodes/fleet-server.ts';
import { freePorts } from '../processes/ports.ts';
import { endProcess, processesWithArgument, signalProcess } from '../processes/process-identity.ts';
import type { ReadyLine } from '../ready-line.ts';
import type { SoakFleet } from './soak-fleet.ts';

const gaiadGraceMs = 5_000;
let made = 0;

/** @param ownNodeKey false: the clone's node has the original's p2p identity too, so the others take one of the two. @returns ends the clone */
export async function runClone(
  soak: SoakFleet,
  server: FleetServer,
  ownNodeKey: boolean,
): Promise<() => Promise<void>> {
  const { drill, clones, checks, say } = soak;
  const { runner, ready } = drill.fleet;
  made += 1;
  const name = `clone-${made}`;
  const root = join(clones, String(made), server.name);
  const gaiadHome = join(clones, String(made), 'gaiad');
  const before = (await readJournal(server.signerState)).length;
  await copyStopped(soak, server, root, gaiadHome);
  const [rpcPort = 0, p2pPort = 0] = await freePorts(2);
  await rm(join(root, homePaths.run), { recursive: true, force: true });
  await mkdir(join(root, homePaths.run), { mode: 0o700 });
  await changeConfig(root, { gaiadHome, rpcPort, p2pPort, cloud: ready });
  await changeToml(join(gaiadHome, 'config/config.toml'), {
    rpc: { laddr: `tcp://127.0.0.1:${rpcPort}` },
    p2p: { laddr: `tcp://127.0.0.1:${p2pPort}` },
  });
  if (ownNodeKey) await rm(join(gaiadHome, 'config/node_key.json'), { force: true });
  const state = join(root, 'signer/state');
  checks.addJournal(state);
  const processes = { signer: soak.signer, pilot: soak.pilot };
  for (const [process, command] of Object.entries(processes)) {
    runner.start({
      name: `${name}/${process}`,
      command: [...command, '--home', root],
      cwd: root,
      logFile: join(root, homePaths.logs, `${process}.log`),
    });
  }
  return async () => {
    for (const process of Object.keys(processes)) runner.hold(`${name}/${process}`);
    await Promise.all(Object.keys(processes).map((process) => runner.kill(`${name}/${process}`)));
    await Promise.all(processesWithArgument(gaiadHome).map((gaiad) => endProcess(gaiad, gaiadGraceMs)));
    await Promise.all(Object.keys(processes).map((process) => runner.stop(`${name}/${process}`)));
    const signed = (await readJournal(state)).length - before;
    if (signed > 0) soak.clonesThatSigned += 1;
    say(`  the clone of ${server.name} signed ${signed} times`);
    // Its journal is kept; the chain's data is not.
    await rm(gaiadHome, { recursive: true, force: true });
  };
}

async function copyStopped(
  { drill }: SoakFleet,
  server: FleetServer,
  root: string,
  gaiadHome: string,
): Promise<void> {
  const { runner } = drill.fleet;
  const running = [
    server.gaiad(),
    runner.identity(server.signerProcess ?? ''),
    runner.identity(server.pilotProcess),
  ].filter((process) => process !== undefined);
  const sockets = (path: string) => !path.endsWith('.sock');
  try {
    for (const process of running) signalProcess(process, 'SIGSTOP');
    await cp(server.root, root, { recursive: true, filter: sockets });
    await cp(server.gaiadHome, gaiadHome, { recursive: true, filter: sockets });
  } finally {
    for (const process of running) signalProcess(process, 'SIGCONT');
  }
}

interface Place {
  gaiadHome: string;
  rpcPort: number;
  p2pPort: number;
  cloud: ReadyLine;
}

async function changeConfig(root: string, { gaiadHome, rpcPort, p2pPort, cloud }: Place): Promise<void> {
  const { mqtt, https, credentialProvider } = cloud;
  const file = join(root, homePaths.config);
  const config = TOML.parse(await readFile(file, 'utf8'));
  const table = (name: string) => config[name] as TOML.JsonMap;
  Object.assign(table('gaiad'), {
    home: gaiadHome,
    rpc: `http://127.0.0.1:${rpcPort}`,
    p2p: `127.0.0.1:${p2pPort}`,
  });
  Object.assign(table('cloud'), {
    mqtt,
    https,
    ...(credentialProvider !== undefined && { credential_provider: credentialProvider }),
  });
  const sockets = socketFolder(root);
  if (!existsSync(sockets)) await mkdir(sockets, { recursive: true, mode: 0o700 });
  Object.assign(table('signer'), {
    socket: join(sockets, 'signer.sock'),
    control: join(sockets, 'signer-control.sock'),
  });
  await writeFile(file, TOML.stringify(config), { mode: 0o600 });
}
