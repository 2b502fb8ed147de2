/** Writes a server's Beam home for a node of a local fleet; what is there already stays as it is. */

import { randomBytes } from 'node:crypto';
import { chmod, copyFile, link, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import TOML from '@iarna/toml';
import { type ConfigFile, homePaths, type NodeFile } from '../../protocol/config.ts';
import { FleetDataError, socketFolder } from './layout.ts';

export interface NodeHomeSpec {
  root: string;
  node: NodeFile;
  cloud: {
    /** host:port */
    mqtt: string;
    https: string;
    /** Absolute. */
    socket?: string | undefined;
    region: string;
    /** Absolute. */
    ca: string;
    /** host:port */
    credentialProvider?: string | undefined;
    /** A shared credentials file of its owner's, where the cloud has no credentials provider. */
    credentials?: string | undefined;
  };
  gaiad: { command: string[]; startArguments: string[]; home: string; rpcPort: number; p2pPort: number };
  chainId: string;
  healthSeconds: number;
}

/** Paths in the home, relative to it, that registration fills. */
export const certificatePath = join(homePaths.certs, 'device.pem.crt');
export const deviceKeyPath = join(homePaths.certs, 'device.key');
/** Earlier versions put the owner's access key here. */
const accessKeyPath = join(homePaths.certs, 'credentials');

type ConfigInput = Omit<ConfigFile, 'signer'> & { signer?: Partial<NonNullable<ConfigFile['signer']>> };

export function nodeConfig(spec: NodeHomeSpec): ConfigInput {
  const { cloud, gaiad, chainId, node, healthSeconds } = spec;
  const sockets = socketFolder(spec.root);
  const short = sockets !== join(spec.root, homePaths.run);
  return {
    mode: 'sign',
    cloud: {
      mqtt: cloud.mqtt,
      region: cloud.region,
      https: cloud.https,
      ca: cloud.ca,
      certificate: certificatePath,
      key: deviceKeyPath,
      // A sentry has no business with the sign record.
      ...(node.kind === 'validator' && recordOf(cloud)),
    },
    gaiad: {
      command: gaiad.command,
      start_arguments: gaiad.startArguments,
      home: gaiad.home,
      rpc: `http://127.0.0.1:${gaiad.rpcPort}`,
      p2p: `127.0.0.1:${gaiad.p2pPort}`,
    },
    ...(node.kind === 'validator' && {
      signer: {
        chain_id: chainId,
        ...(short && {
          socket: join(sockets, 'signer.sock'),
          control: join(sockets, 'signer-control.sock'),
        }),
      },
    }),
    status: { port: 0 },
    health: { seconds: healthSeconds, basic_ingest: false },
    log: { level: 'info' },
  };
}

/** How the sign record is reached, and by which right. */
function recordOf({
  socket,
  credentialProvider,
  credentials,
}: NodeHomeSpec['cloud']): Partial<NonNullable<ConfigFile['cloud']>> {
  return {
    ...(socket !== undefined && { socket }),
    ...(credentials === undefined ? { credential_provider: credentialProvider } : { credentials }),
  };
}

export async function writeNodeHome(spec: NodeHomeSpec): Promise<void> {
  const { root, node } = spec;
  const folders = [root, ...[homePaths.certs, homePaths.run, homePaths.logs].map((name) => join(root, name))];
  if (node.kind === 'validator') folders.push(join(root, 'signer'), socketFolder(root));
  for (const folder of folders) await mkdir(folder, { recursive: true, mode: 0o700 });
  if (node.kind === 'validator') await requireOwn(socketFolder(root));
  await writeWhereChanged(join(root, homePaths.node), toml({ ...node }));
  await writeWhereChanged(join(root, homePaths.config), toml({ ...nodeConfig(spec) }));
  await rm(join(root, accessKeyPath), { force: true });
}

/** A short folder for sockets is in a place that all users share: another's could be there first. */
async function requireOwn(folder: string): Promise<void> {
  const { uid, mode } = await lstat(folder);
  if (uid === userInfo().uid && (mode & 0o077) === 0) return;
  throw new FleetDataError(
    `${folder} is another user's, or open to others; remove it, or give a shorter folder with --data`,
  );
}

/** Comments say where the file came from: a person may look into it. */
function toml(value: Record<string, unknown>): string {
  return `# Written by \`beam up\` at each start.\n\n${TOML.stringify(value as TOML.JsonMap)}`;
}

async function writeWhereChanged(file: string, content: string): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => undefined);
  if (before === content) return;
  await writeFile(`${file}.tmp`, content, { mode: 0o600 });
  await rename(`${file}.tmp`, file);
}

/** Where a validator's home keeps the consensus key: config.toml's default. */
export function consensusKeyPath(root: string): string {
  return join(root, 'signer/priv_validator_key.json');
}

/** Puts the fleet's consensus key into a validator's signer folder, once, readable by its owner alone. */
export async function placeConsensusKey(root: string, keyFile: string): Promise<void> {
  const to = consensusKeyPath(root);
  const unfinished = `${to}.${randomBytes(4).toString('hex')}`;
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await copyFile(keyFile, unfinished);
  await chmod(unfinished, 0o600);
  try {
    // A link never replaces a key that is there.
    await link(unfinished, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(unfinished, { force: true });
  }
}
