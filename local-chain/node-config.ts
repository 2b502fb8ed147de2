/** Reads a home's `config.toml` and `app.toml`, and refuses what gaiad would refuse, all faults at once. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import TOML from '@iarna/toml';
import { appConfigSections } from './app-config-keys.ts';
import { configSections, type Section } from './config-keys.ts';
import type { LogLevel } from './log.ts';
import {
  type ListenAddress,
  type listenAddress,
  type PeerAddress,
  type peerAddresses,
  readSetting,
  SettingError,
} from './setting-values.ts';

/** Each fault names file and setting. */
export class NodeConfigError extends Error {
  override readonly name = 'NodeConfigError';
  readonly faults: readonly string[];
  constructor(faults: readonly string[], options?: ErrorOptions) {
    super(faults.join('\n'), options);
    this.faults = faults;
  }
}

export interface NodeConfig {
  moniker: string;
  logLevel: LogLevel;
  logFormat: 'plain' | 'json';
  genesisFile: string;
  nodeKeyFile: string;
  validatorKeyFile: string;
  validatorStateFile: string;
  /** The remote signer's socket; undefined: the key file signs. */
  signerSocket: string | undefined;
  rpc: ListenAddress | undefined;
  rpcConnectionsMax: number;
  p2p: ListenAddress | undefined;
  persistentPeers: PeerAddress[];
  seeds: PeerAddress[];
  pex: boolean;
  inboundPeersMax: number;
  unconditionalPeers: string[];
  doubleSignCheckHeight: number;
  haltHeight: number;
  indexer: string;
}

/** `<section>.<key>` → value as read. */
type Settings = ReadonlyMap<string, unknown>;

/** Command-line flags that stand above config.toml, by the names the SDK gives them. */
export type ConfigFlags = Readonly<Record<string, string>>;

function readToml(path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new NodeConfigError([`${path}: can't be read; make a home with 'make' first`], { cause: error });
  }
  try {
    return TOML.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new NodeConfigError([`${path}: While parsing config: toml: ${reason}`], { cause: error });
  }
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);

/** Unknown settings are passed over, as gaiad does. */
function readSections(
  file: string,
  sections: readonly Section[],
  document: Record<string, unknown>,
  flags: ConfigFlags,
  faults: string[],
): Settings {
  const settings = new Map<string, unknown>();
  for (const { name, settings: known } of sections) {
    const table = name === '' ? document : (document[name] ?? {});
    if (!isTable(table)) {
      faults.push(`${file}: [${name}] must be a table`);
      continue;
    }
    for (const { key, kind, value } of known) {
      const place = name === '' ? key : `${name}.${key}`;
      try {
        settings.set(place, readSetting(kind, flags[place] ?? table[key] ?? value));
      } catch (error) {
        if (!(error instanceof SettingError)) throw error;
        faults.push(`${file}: ${place}: ${error.message}`);
      }
    }
  }
  return settings;
}

function crossChecks(config: Settings, app: Settings): string[] {
  const faults: string[] = [];
  const say = (condition: boolean, fault: string) => condition && faults.push(fault);
  const number = (settings: Settings, key: string) => Number(settings.get(key) ?? 0);
  const buffer = number(config, 'rpc.experimental_subscription_buffer_size');
  say(buffer < 100, 'config.toml: rpc.experimental_subscription_buffer_size: must be >= 100');
  say(
    number(config, 'rpc.experimental_websocket_write_buffer_size') < buffer,
    'config.toml: rpc.experimental_websocket_write_buffer_size: must be >= experimental_subscription_buffer_size',
  );
  if (config.get('statesync.enable') === true) {
    const servers = String(config.get('statesync.rpc_servers')).split(',').filter(Boolean);
    say(
      servers.length < 2,
      'config.toml: statesync.rpc_servers: at least two rpc_servers entries are required',
    );
    say(number(config, 'statesync.trust_height') === 0, 'config.toml: statesync.trust_height: is required');
    const hash = String(config.get('statesync.trust_hash'));
    say(!/^([0-9a-fA-F]{2})+$/.test(hash), 'config.toml: statesync.trust_hash: must be hex, and is required');
  }
  say(
    config.get('tx_index.indexer') === 'psql' && config.get('tx_index.psql-conn') === '',
    'config.toml: tx_index.psql-conn: the psql indexer needs a connection',
  );
  say(
    config.get('mempool.type') === 'nop' && config.get('consensus.create_empty_blocks') === false,
    'config.toml: consensus.create_empty_blocks: must be true with the nop mempool',
  );
  const gasPrices = String(app.get('minimum-gas-prices') ?? '');
  say(gasPrices === '', 'app.toml: minimum-gas-prices: set min gas price');
  say(
    gasPrices !== '' &&
      !gasPrices
        .split(/[,;]/)
        .every((coin) => /^\s*\d+(\.\d+)?[a-zA-Z][a-zA-Z0-9/:._-]{2,127}\s*$/.test(coin)),
    `app.toml: minimum-gas-prices: '${gasPrices}' is no price, such as 0.005uatom`,
  );
  say(
    app.get('pruning') === 'everything' && number(app, 'state-sync.snapshot-interval') > 0,
    "app.toml: state-sync.snapshot-interval: cannot enable state sync snapshots with 'everything' pruning setting",
  );
  say(
    app.get('pruning') === 'custom' && number(app, 'pruning-interval') < 10,
    "app.toml: pruning-interval: must not be less than 10 with 'custom' pruning",
  );
  return faults;
}

/** gaiad's level for everything: of module:level pairs, the one for `*`. */
function logLevelOf(text: string): LogLevel {
  const parts = text.split(',').map((part) => part.trim().toLowerCase());
  const level =
    parts.find((part) => !part.includes(':')) ?? parts.find((part) => part.startsWith('*:'))?.slice(2);
  return level === 'none' ? 'disabled' : ((level || 'info') as LogLevel);
}

/** @throws NodeConfigError */
export function loadNodeConfig(home: string, flags: ConfigFlags = {}): NodeConfig {
  const faults: string[] = [];
  const config = readSections(
    'config.toml',
    configSections,
    readToml(join(home, 'config/config.toml')),
    flags,
    faults,
  );
  const app = readSections(
    'app.toml',
    appConfigSections,
    readToml(join(home, 'config/app.toml')),
    flags,
    faults,
  );
  if (faults.length === 0) faults.push(...crossChecks(config, app));
  if (faults.length > 0) throw new NodeConfigError(faults);

  const text = (key: string) => String(config.get(key) ?? '');
  const path = (key: string) => (text(key).startsWith('/') ? text(key) : join(home, text(key)));
  const signer = config.get('priv_validator_laddr') as ListenAddress | undefined;
  if (signer?.kind === 'tcp') {
    throw new NodeConfigError([
      'config.toml: priv_validator_laddr: the stand-in speaks to signers on unix sockets alone; use unix://<path>',
    ]);
  }
  return {
    moniker: text('moniker'),
    logLevel: logLevelOf(text('log_level')),
    logFormat: text('log_format') === 'json' ? 'json' : 'plain',
    genesisFile: path('genesis_file'),
    nodeKeyFile: path('node_key_file'),
    validatorKeyFile: path('priv_validator_key_file'),
    validatorStateFile: path('priv_validator_state_file'),
    signerSocket: signer?.path,
    rpc: config.get('rpc.laddr') as ReturnType<typeof listenAddress>,
    rpcConnectionsMax: Number(config.get('rpc.max_open_connections')),
    p2p: config.get('p2p.laddr') as ReturnType<typeof listenAddress>,
    persistentPeers: config.get('p2p.persistent_peers') as ReturnType<typeof peerAddresses>,
    seeds: config.get('p2p.seeds') as ReturnType<typeof peerAddresses>,
    pex: config.get('p2p.pex') === true,
    inboundPeersMax: Number(config.get('p2p.max_num_inbound_peers')),
    unconditionalPeers: config.get('p2p.unconditional_peer_ids') as string[],
    doubleSignCheckHeight: Number(config.get('consensus.double_sign_check_height')),
    haltHeight: Number(app.get('halt-height')),
    indexer: text('tx_index.indexer'),
  };
}
