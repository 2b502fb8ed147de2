/** A Beam home as the signer needs it: config.toml and node.toml, read once, with every path made absolute. */

import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, relative, resolve } from 'node:path';
import toml from '@iarna/toml';
import {
  ConfigError,
  type ConfigFile,
  configFile,
  homePaths,
  nodeFile,
  parseConfig,
  tcpAddress,
  unpinnedNode,
} from '../protocol/config.ts';
import { signerRoleAlias, thingName } from '../protocol/names.ts';
import type { Stage } from '../protocol/stages.ts';
import { unixPathBytesMax } from '../protocol/unix-socket.ts';
import type { AwsClientOptions } from './aws-client.ts';
import type { DynamoOptions } from './dynamodb.ts';
import { RoleAliasCredentials } from './role-alias-credentials.ts';

/** Where the node is reached: by a unix socket, or by TCP through a SecretConnection. */
export type NodeAddress =
  | { kind: 'unix'; path: string }
  | { kind: 'tcp'; host: string; port: number; pinned: string | undefined; connectionKeyFile: string };

export interface SignerHome {
  home: string;
  thing: string;
  mode: Stage;
  chainId: string;
  key: KeySource;
  stateDir: string;
  /** What a dry-run keeps; beside `stateDir`, and never read as a signer's state. */
  dryRunDir: string;
  node: NodeAddress;
  controlSocket: string;
  /** gaiad's RPC. */
  rpc: string;
  gaiadHome: string;
  table: string;
  /** Undefined: stand-alone, no cloud. */
  dynamo: DynamoOptions | undefined;
  /** Where the credentials of `dynamo` and of a KMS key come by this server's certificate. */
  roleAlias: RoleAliasCredentials | undefined;
  /** Where the metrics are served; undefined: nowhere. */
  metrics: { host: string; port: number } | undefined;
  logLevel: ConfigFile['log']['level'];
}

/** What the configuration says of the consensus key (`keys/open.ts` opens it). */
export type KeySource =
  | { kind: 'file'; path: string; passphrase: string | undefined }
  | ({ kind: 'kms'; keyId: string } & AwsClientOptions);

export function defaultHome(): string {
  return process.env.BEAM_HOME ?? join(homedir(), '.beam');
}

/** @throws ConfigError */
export function readHome(home: string): SignerHome {
  const at = (path: string) => resolve(home, path);
  const configPath = at(homePaths.config);
  const written = readToml(configPath);
  const config = parseConfig(configFile, written, configPath);
  if (config.signer?.kms && hasOwnKey(written)) {
    throw new ConfigError(configPath, [
      'signer.key: beside [signer.kms] there are two keys, and nobody knows which one is meant; remove one of them',
    ]);
  }
  const nodePath = at(homePaths.node);
  const node = parseConfig(nodeFile, readToml(nodePath), nodePath);
  const { signer, cloud, gaiad, log } = config;
  if (!signer) {
    throw new ConfigError(configPath, [
      'signer: missing; a server that signs has a [signer] section with chain_id',
    ]);
  }
  const sockets = {
    'signer.socket': signer.socket,
    'signer.control': signer.control,
    'cloud.socket': cloud?.socket ?? '',
  };
  const long = Object.entries(sockets).filter(([, path]) => Buffer.byteLength(at(path)) > unixPathBytesMax);
  if (long.length > 0) {
    throw new ConfigError(
      configPath,
      long.map(
        ([name, path]) =>
          `${name}: ${at(path)} is longer than the ${unixPathBytesMax} bytes that a unix socket's path may have; give a shorter path`,
      ),
    );
  }
  const gaiadHome = at(gaiad.home);
  const inside = (['key', 'state', 'connection_key'] as const).filter((name) =>
    isInside(gaiadHome, at(signer[name])),
  );
  if (inside.length > 0) {
    throw new ConfigError(
      configPath,
      inside.map(
        (name) =>
          `signer.${name}: ${at(signer[name])} lies in gaiad's home, whose volume comes from snapshots and goes to other machines; put it elsewhere`,
      ),
    );
  }
  const roleAlias = roleAliasOf(cloud, thingName(node.fleet, node.node), at);
  return {
    home: resolve(home),
    thing: thingName(node.fleet, node.node),
    mode: config.mode,
    chainId: signer.chain_id,
    key: keySource(config, at, configPath, roleAlias),
    roleAlias,
    stateDir: at(signer.state),
    dryRunDir: `${at(signer.state)}-dry-run`,
    node: nodeAddress(signer, at),
    controlSocket: at(signer.control),
    rpc: gaiad.rpc,
    gaiadHome,
    table: signer.table,
    dynamo: cloud && {
      table: signer.table,
      region: cloud.region,
      endpoint: cloud.https,
      ca: cloud.ca && at(cloud.ca),
      socket: cloud.socket && at(cloud.socket),
      credentials: cloud.credentials && at(cloud.credentials),
      roleAlias,
    },
    metrics: signer.metrics === undefined ? undefined : hostAndPort(signer.metrics, configPath),
    logLevel: log.level,
  };
}

function nodeAddress(
  { socket, node, node_key, connection_key }: NonNullable<ConfigFile['signer']>,
  at: (path: string) => string,
): NodeAddress {
  if (node === undefined) return { kind: 'unix', path: at(socket) };
  return {
    kind: 'tcp',
    ...tcpAddress(node),
    pinned: node_key === unpinnedNode ? undefined : node_key,
    connectionKeyFile: at(connection_key),
  };
}

/** One for all clients: they share what it holds. */
function roleAliasOf(
  cloud: ConfigFile['cloud'],
  thing: string,
  at: (path: string) => string,
): RoleAliasCredentials | undefined {
  if (cloud?.credential_provider === undefined) return undefined;
  return new RoleAliasCredentials({
    provider: cloud.credential_provider,
    roleAlias: cloud.role_alias ?? signerRoleAlias,
    thing,
    certificate: at(cloud.certificate),
    key: at(cloud.key),
    ca: cloud.ca && at(cloud.ca),
  });
}

function keySource(
  { signer, cloud }: ConfigFile,
  at: (path: string) => string,
  file: string,
  roleAlias: RoleAliasCredentials | undefined,
): KeySource {
  const { key = '', passphrase, kms } = signer ?? {};
  if (!kms) return { kind: 'file', path: at(key), passphrase };
  if (passphrase !== undefined) {
    throw new ConfigError(file, [
      'signer.passphrase: belongs to an encrypted key file, and [signer.kms] names a key that is in no file; remove one of them',
    ]);
  }
  // arn:aws:kms:<region>:<account>:key/<id>
  const region = kms.region ?? /^arn:[^:]+:kms:([^:]+):/.exec(kms.key_id)?.[1] ?? cloud?.region;
  if (region === undefined) {
    throw new ConfigError(file, ['signer.kms.region: missing; name the AWS region of the key']);
  }
  return {
    kind: 'kms',
    keyId: kms.key_id,
    region,
    endpoint: kms.endpoint,
    ca: kms.endpoint && cloud?.ca && at(cloud.ca),
    credentials: cloud?.credentials && at(cloud.credentials),
    roleAlias,
  };
}

function hostAndPort(text: string, file: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  const port = Number(text.slice(colon + 1));
  if (port > 65_535)
    throw new ConfigError(file, [`signer.metrics: ${port} is no port; give one up to 65535`]);
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port };
}

/** Before defaults were filled in. */
function hasOwnKey(written: unknown): boolean {
  const { signer } = written as { signer?: object };
  return signer !== undefined && Object.hasOwn(signer, 'key');
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '' || !(way.startsWith('..') || isAbsolute(way));
}

function readToml(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const remedy = code === 'ENOENT' ? 'make it with beam init' : 'run this as the user whose home it is';
    throw new ConfigError(path, [`can't be read (${message}); ${remedy}`], { cause: error });
  }
  try {
    return toml.parse(text);
  } catch (error) {
    throw new ConfigError(path, [`is not TOML: ${(error as Error).message}`], { cause: error });
  }
}
