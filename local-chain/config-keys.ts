/** The settings of `config.toml` as CometBFT 0.38 knows them: kind, default, and what each is for. */

/**
 * `count`: a whole number from 0 on. `address`: `tcp://…` or `unix://…`, or empty. `peers`: `id@host:port,…`.
 * `nodeIds`: ids with commas between them.
 */
export type SettingKind =
  | 'string'
  | 'bool'
  | 'integer'
  | 'count'
  | 'duration'
  | 'strings'
  | 'address'
  | 'peers'
  | 'nodeIds'
  | 'logLevel'
  | 'any'
  | readonly string[];

export type SettingValue = string | number | boolean | readonly string[];

export interface Setting {
  key: string;
  kind: SettingKind;
  value: SettingValue;
  comment: string;
}

export interface Section {
  /** Empty for the settings before the first table. */
  name: string;
  comment: string;
  settings: Setting[];
}

const setting = (key: string, kind: SettingKind, value: SettingValue, comment: string): Setting => ({
  key,
  kind,
  value,
  comment,
});

export const dbBackends = [
  'goleveldb',
  'cleveldb',
  'boltdb',
  'rocksdb',
  'badgerdb',
  'pebbledb',
  'memdb',
] as const;

export const configSections: readonly Section[] = [
  {
    name: '',
    comment: 'Node',
    settings: [
      setting(
        'proxy_app',
        'string',
        'tcp://127.0.0.1:26658',
        'Where the application listens, when it is a process of its own.',
      ),
      setting('moniker', 'string', '', 'Name of this node, for people.'),
      setting('db_backend', dbBackends, 'goleveldb', `One of ${dbBackends.join(', ')}.`),
      setting('db_dir', 'string', 'data', 'Folder of the databases, from the home.'),
      setting(
        'log_level',
        'logLevel',
        'info',
        'A level for all, or module:level pairs with commas between them.',
      ),
      setting('log_format', ['plain', 'json'], 'plain', 'plain or json.'),
      setting('genesis_file', 'string', 'config/genesis.json', "The chain's genesis."),
      setting(
        'priv_validator_key_file',
        'string',
        'config/priv_validator_key.json',
        'The key of a validator that signs by itself.',
      ),
      setting(
        'priv_validator_state_file',
        'string',
        'data/priv_validator_state.json',
        'What it signed last.',
      ),
      setting(
        'priv_validator_laddr',
        'address',
        '',
        'Where to listen for a remote signer; empty: the key file signs.',
      ),
      setting('node_key_file', 'string', 'config/node_key.json', 'The key of this node among its peers.'),
      setting('abci', ['socket', 'grpc', 'local'], 'socket', 'How to speak to the application.'),
      setting('filter_peers', 'bool', false, 'Ask the application whether to keep a peer.'),
    ],
  },
  {
    name: 'rpc',
    comment: 'RPC server',
    settings: [
      setting('laddr', 'address', 'tcp://127.0.0.1:26657', 'Where the RPC listens.'),
      setting('cors_allowed_origins', 'strings', [], 'Web origins that may ask.'),
      setting('cors_allowed_methods', 'strings', ['HEAD', 'GET', 'POST'], 'Methods that they may use.'),
      setting(
        'cors_allowed_headers',
        'strings',
        ['Origin', 'Accept', 'Content-Type', 'X-Requested-With', 'X-Server-Time'],
        'Headers that they may send.',
      ),
      setting('grpc_laddr', 'address', '', 'Where the gRPC for transactions listens.'),
      setting('grpc_max_open_connections', 'count', 900, 'Connections to it at once; 0: no limit.'),
      setting('unsafe', 'bool', false, 'Offer commands that can harm the node.'),
      setting('max_open_connections', 'count', 900, 'Connections to the RPC at once; 0: no limit.'),
      setting('max_subscription_clients', 'count', 100, 'Clients that may subscribe.'),
      setting('max_subscriptions_per_client', 'count', 5, 'Subscriptions of each.'),
      setting(
        'experimental_subscription_buffer_size',
        'count',
        200,
        'Events kept for a slow subscriber; 100 at least.',
      ),
      setting('experimental_websocket_write_buffer_size', 'count', 200, 'Answers kept for a slow WebSocket.'),
      setting('experimental_close_on_slow_client', 'bool', false, 'Close a WebSocket that is too slow.'),
      setting('timeout_broadcast_tx_commit', 'duration', '10s', 'How long broadcast_tx_commit waits.'),
      setting('max_request_batch_size', 'count', 10, 'Requests in one batch; 0: no limit.'),
      setting('max_body_bytes', 'count', 1_000_000, 'Size of a request.'),
      setting('max_header_bytes', 'count', 1_048_576, 'Size of its headers.'),
      setting('tls_cert_file', 'string', '', 'Certificate, for HTTPS.'),
      setting('tls_key_file', 'string', '', 'Its key.'),
      setting('pprof_laddr', 'string', '', 'Where the profiler listens; empty: nowhere.'),
    ],
  },
  {
    name: 'p2p',
    comment: 'Peers',
    settings: [
      setting('laddr', 'address', 'tcp://0.0.0.0:26656', 'Where peers are accepted.'),
      setting('external_address', 'string', '', 'host:port that peers are told to dial.'),
      setting('seeds', 'peers', '', 'Nodes that name others: id@host:port, with commas between them.'),
      setting(
        'persistent_peers',
        'peers',
        '',
        'Nodes to keep a connection to: id@host:port, with commas between them.',
      ),
      setting('addr_book_file', 'string', 'config/addrbook.json', 'Known addresses.'),
      setting(
        'addr_book_strict',
        'bool',
        true,
        'Only addresses that can be reached from everywhere; false in private networks.',
      ),
      setting('max_num_inbound_peers', 'count', 40, 'Peers that may dial this node.'),
      setting('max_num_outbound_peers', 'count', 10, 'Peers that it dials, persistent ones not counted.'),
      setting('unconditional_peer_ids', 'nodeIds', '', 'Peers that are taken whatever the limits.'),
      setting(
        'persistent_peers_max_dial_period',
        'duration',
        '0s',
        'Longest pause between two tries; 0: it grows.',
      ),
      setting('flush_throttle_timeout', 'duration', '100ms', 'How long to gather before sending.'),
      setting('max_packet_msg_payload_size', 'count', 1024, 'Bytes in a packet.'),
      setting('send_rate', 'count', 5_120_000, 'Bytes a second.'),
      setting('recv_rate', 'count', 5_120_000, 'Bytes a second.'),
      setting('pex', 'bool', true, 'Find peers through peers.'),
      setting('seed_mode', 'bool', false, 'Only name others.'),
      setting('private_peer_ids', 'nodeIds', '', 'Peers that are never told to others.'),
      setting('allow_duplicate_ip', 'bool', false, 'Several peers at one address.'),
      setting('handshake_timeout', 'duration', '20s', ''),
      setting('dial_timeout', 'duration', '3s', ''),
    ],
  },
  {
    name: 'mempool',
    comment: 'Waiting transactions',
    settings: [
      setting('type', ['flood', 'nop', ''], 'flood', 'flood, or nop for none.'),
      setting('recheck', 'bool', true, 'Check them again after each block.'),
      setting('recheck_timeout', 'duration', '1s', ''),
      setting('broadcast', 'bool', true, 'Pass them on to peers.'),
      setting('wal_dir', 'string', '', 'Folder of a log of them; empty: none.'),
      setting('size', 'count', 5000, 'How many.'),
      setting('max_txs_bytes', 'count', 1_073_741_824, 'How many bytes in all.'),
      setting('cache_size', 'count', 10_000, 'How many to remember.'),
      setting('keep-invalid-txs-in-cache', 'bool', false, ''),
      setting('max_tx_bytes', 'count', 1_048_576, 'Size of one.'),
      setting('max_batch_bytes', 'count', 0, 'Unused.'),
      setting('experimental_max_gossip_connections_to_persistent_peers', 'count', 0, '0: all of them.'),
      setting('experimental_max_gossip_connections_to_non_persistent_peers', 'count', 0, '0: all of them.'),
    ],
  },
  {
    name: 'statesync',
    comment: 'Start from a snapshot of the state',
    settings: [
      setting('enable', 'bool', false, ''),
      setting('rpc_servers', 'string', '', 'Two RPC servers at least, with a comma between them.'),
      setting('trust_height', 'count', 0, 'A height that is known to be right.'),
      setting('trust_hash', 'string', '', "Its block's hash."),
      setting('trust_period', 'duration', '168h0m0s', 'How long a block is trusted.'),
      setting('discovery_time', 'duration', '15s', 'How long to look for snapshots.'),
      setting('temp_dir', 'string', '', ''),
      setting('chunk_request_timeout', 'duration', '10s', ''),
      setting('chunk_fetchers', 'count', '4', ''),
    ],
  },
  {
    name: 'blocksync',
    comment: 'Catching up block by block',
    settings: [setting('version', ['v0'], 'v0', 'There is only v0.')],
  },
  {
    name: 'consensus',
    comment: "Consensus. The pace of the chain is the other validators'.",
    settings: [
      setting('wal_file', 'string', 'data/cs.wal/wal', ''),
      setting('timeout_propose', 'duration', '3s', 'How long to wait for a proposal, before a vote for nil.'),
      setting('timeout_propose_delta', 'duration', '500ms', 'More of it with each round.'),
      setting('timeout_prevote', 'duration', '1s', ''),
      setting('timeout_prevote_delta', 'duration', '500ms', ''),
      setting('timeout_precommit', 'duration', '1s', ''),
      setting('timeout_precommit_delta', 'duration', '500ms', ''),
      setting('timeout_commit', 'duration', '5s', 'Pause after a commit: late votes still get in.'),
      setting(
        'double_sign_check_height',
        'count',
        0,
        'Do not start where this many last blocks hold our signature; 0: off.',
      ),
      setting('skip_timeout_commit', 'bool', false, ''),
      setting('create_empty_blocks', 'bool', true, ''),
      setting('create_empty_blocks_interval', 'duration', '0s', ''),
      setting('peer_gossip_sleep_duration', 'duration', '100ms', ''),
      setting('peer_query_maj23_sleep_duration', 'duration', '2s', ''),
    ],
  },
  {
    name: 'storage',
    comment: 'Storage',
    settings: [setting('discard_abci_responses', 'bool', false, 'Keep no results of blocks.')],
  },
  {
    name: 'tx_index',
    comment: 'Index of transactions',
    settings: [
      setting('indexer', ['kv', 'null', 'psql', ''], 'kv', 'null, kv or psql.'),
      setting('psql-conn', 'string', '', 'The database, for psql.'),
    ],
  },
  {
    name: 'instrumentation',
    comment: 'Metrics',
    settings: [
      setting('prometheus', 'bool', false, ''),
      setting('prometheus_listen_addr', 'string', ':26660', ''),
      setting('max_open_connections', 'count', 3, ''),
      setting('namespace', 'string', 'cometbft', ''),
    ],
  },
];
