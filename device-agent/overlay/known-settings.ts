/**
 * What CometBFT 0.38's config.toml takes (config/config.go, its ValidateBasic and toml.go), where the type alone doesn't say it. Settings
 * that are not here are judged by the type that they have in the operator's file.
 */

export type SettingType =
  | 'string'
  | 'boolean'
  /** Not negative. */
  | 'count'
  | 'integer'
  /** Go's: "10s", "1m30s", not negative. */
  | 'duration'
  /** tcp://host:port or unix://path; may be empty. */
  | 'listen'
  /** Comma-separated `<node id>@<host>:<port>`. */
  | 'peers'
  /** Comma-separated node ids. */
  | 'ids'
  | 'list';

const known: Record<string, SettingType> = {
  moniker: 'string',
  fast_sync: 'boolean',
  log_level: 'string',
  log_format: 'string',
  abci: 'string',
  filter_peers: 'boolean',
  'rpc.laddr': 'listen',
  'rpc.cors_allowed_origins': 'list',
  'rpc.cors_allowed_methods': 'list',
  'rpc.cors_allowed_headers': 'list',
  'rpc.grpc_laddr': 'listen',
  'rpc.grpc_max_open_connections': 'count',
  'rpc.max_open_connections': 'count',
  'rpc.max_subscription_clients': 'count',
  'rpc.max_subscriptions_per_client': 'count',
  'rpc.experimental_subscription_buffer_size': 'count',
  'rpc.experimental_websocket_write_buffer_size': 'count',
  'rpc.experimental_close_on_slow_client': 'boolean',
  'rpc.timeout_broadcast_tx_commit': 'duration',
  'rpc.max_request_batch_size': 'count',
  'rpc.max_body_bytes': 'count',
  'rpc.max_header_bytes': 'count',
  'rpc.pprof_laddr': 'string',
  'p2p.laddr': 'listen',
  'p2p.external_address': 'string',
  'p2p.seeds': 'peers',
  'p2p.persistent_peers': 'peers',
  'p2p.addr_book_strict': 'boolean',
  'p2p.max_num_inbound_peers': 'count',
  'p2p.max_num_outbound_peers': 'count',
  'p2p.unconditional_peer_ids': 'ids',
  'p2p.persistent_peers_max_dial_period': 'duration',
  'p2p.flush_throttle_timeout': 'duration',
  'p2p.max_packet_msg_payload_size': 'count',
  'p2p.send_rate': 'count',
  'p2p.recv_rate': 'count',
  'p2p.pex': 'boolean',
  'p2p.seed_mode': 'boolean',
  'p2p.private_peer_ids': 'ids',
  'p2p.allow_duplicate_ip': 'boolean',
  'p2p.handshake_timeout': 'duration',
  'p2p.dial_timeout': 'duration',
  'mempool.type': 'string',
  'mempool.recheck': 'boolean',
  'mempool.recheck_timeout': 'duration',
  'mempool.broadcast': 'boolean',
  'mempool.size': 'count',
  'mempool.max_txs_bytes': 'count',
  'mempool.cache_size': 'count',
  'mempool.keep-invalid-txs-in-cache': 'boolean',
  'mempool.max_tx_bytes': 'count',
  'mempool.max_batch_bytes': 'count',
  'mempool.experimental_max_gossip_connections_to_persistent_peers': 'count',
  'mempool.experimental_max_gossip_connections_to_non_persistent_peers': 'count',
  'statesync.enable': 'boolean',
  'statesync.rpc_servers': 'string',
  'statesync.trust_height': 'count',
  'statesync.trust_hash': 'string',
  'statesync.trust_period': 'duration',
  'statesync.discovery_time': 'duration',
  'statesync.temp_dir': 'string',
  'statesync.chunk_request_timeout': 'duration',
  'statesync.chunk_fetchers': 'string',
  'blocksync.version': 'string',
  'consensus.timeout_propose': 'duration',
  'consensus.timeout_propose_delta': 'duration',
  'consensus.timeout_prevote': 'duration',
  'consensus.timeout_prevote_delta': 'duration',
  'consensus.timeout_precommit': 'duration',
  'consensus.timeout_precommit_delta': 'duration',
  'consensus.timeout_commit': 'duration',
  'consensus.skip_timeout_commit': 'boolean',
  'consensus.double_sign_check_height': 'count',
  'consensus.create_empty_blocks': 'boolean',
  'consensus.create_empty_blocks_interval': 'duration',
  'consensus.peer_gossip_sleep_duration': 'duration',
  'consensus.peer_query_maj23_sleep_duration': 'duration',
  'storage.discard_abci_responses': 'boolean',
  'tx_index.indexer': 'string',
  'tx_index.psql-conn': 'string',
  'instrumentation.prometheus': 'boolean',
  'instrumentation.prometheus_listen_addr': 'string',
  'instrumentation.max_open_connections': 'count',
  'instrumentation.namespace': 'string',
};

/** @param path dotted, of config.toml. */
export function knownType(path: string): SettingType | undefined {
  return Object.hasOwn(known, path) ? known[path] : undefined;
}

/** Which identity, data and application a server runs is its own: what these name is never set from the cloud. */
const machines = new Set([
  'home',
  'proxy_app',
  'db_backend',
  'db_dir',
  'genesis_file',
  'node_key_file',
  'p2p.addr_book_file',
  'consensus.wal_file',
  'app-db-backend',
  'rpc.tls_cert_file',
  'rpc.tls_key_file',
  'statesync.temp_dir',
]);

export function isMachines(path: string): boolean {
  return machines.has(path);
}

const durationUnit = '(?:\\d+(?:\\.\\d*)?|\\.\\d+)(?:ns|us|µs|μs|ms|s|m|h)';
const durationPattern = new RegExp(`^\\+?(?:0|(?:${durationUnit})+)$`);
const listenPattern = /^(?:tcp:\/\/[^\s/]*:\d{1,5}|unix:\/\/\/?[^\s]+)$/;
const idPattern = /^[0-9a-fA-F]{40}$/;
const peerPattern = /^[0-9a-fA-F]{40}@[^\s@,]+:\d{1,5}$/;

/** @returns what is wrong with `value`, or undefined. */
export function typeFault(type: SettingType, value: unknown): string | undefined {
  const list = (pattern: RegExp, what: string) => {
    if (typeof value !== 'string') return `must be a string: ${what}`;
    const wrong = value
      .split(',')
      .map((part) => part.trim())
      .find((part) => part !== '' && !pattern.test(part));
    return wrong === undefined ? undefined : `"${wrong}" is not ${what}`;
  };
  switch (type) {
    case 'string':
      return typeof value === 'string' ? undefined : 'must be a string';
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'must be true or false';
    case 'count':
      return Number.isSafeInteger(value) && Number(value) >= 0
        ? undefined
        : 'must be a whole number, not negative';
    case 'integer':
      return Number.isSafeInteger(value) ? undefined : 'must be a whole number';
    case 'duration':
      return typeof value === 'string' && durationPattern.test(value)
        ? undefined
        : 'must be a duration such as "3s" or "1m30s", not negative';
    case 'listen':
      return typeof value === 'string' && (value === '' || listenPattern.test(value))
        ? undefined
        : 'must be tcp://host:port or unix://path';
    case 'peers':
      return list(peerPattern, '<node id>@<host>:<port>');
    case 'ids':
      return list(idPattern, 'a node id of 40 hex digits');
    case 'list':
      return Array.isArray(value) ? undefined : 'must be a list';
  }
}

export function isDuration(value: unknown): boolean {
  return typeof value === 'string' && value !== '0' && durationPattern.test(value);
}
