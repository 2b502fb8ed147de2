/** The settings of `app.toml` as the Cosmos SDK 0.53 knows them. */

import {
  dbBackends,
  type Section,
  type Setting,
  type SettingKind,
  type SettingValue,
} from './config-keys.ts';

const setting = (key: string, kind: SettingKind, value: SettingValue, comment = ''): Setting => ({
  key,
  kind,
  value,
  comment,
});

export const appConfigSections: readonly Section[] = [
  {
    name: '',
    comment: 'Application',
    settings: [
      setting(
        'minimum-gas-prices',
        'string',
        '0stake',
        'What a transaction pays at least for gas. Must not be empty.',
      ),
      setting('query-gas-limit', 'count', '0', 'Gas of a query; 0: no limit.'),
      setting(
        'pruning',
        ['default', 'nothing', 'everything', 'custom'],
        'default',
        'default, nothing, everything or custom.',
      ),
      setting('pruning-keep-recent', 'count', '0', 'With custom: states to keep.'),
      setting('pruning-interval', 'count', '0', 'With custom: blocks between two prunings.'),
      setting('halt-height', 'count', 0, 'Stop at this height; 0: never.'),
      setting('halt-time', 'count', 0, 'Stop at this Unix time; 0: never.'),
      setting('min-retain-blocks', 'count', 0, 'Blocks to keep; 0: all.'),
      setting('inter-block-cache', 'bool', true),
      setting('index-events', 'strings', [], 'Events to index; empty: all.'),
      setting('iavl-cache-size', 'count', 781_250),
      setting('iavl-disable-fastnode', 'bool', false),
      setting('app-db-backend', ['', ...dbBackends], '', 'Empty: as db_backend in config.toml.'),
    ],
  },
  {
    name: 'telemetry',
    comment: 'Telemetry',
    settings: [
      setting('service-name', 'string', ''),
      setting('enabled', 'bool', false),
      setting('enable-hostname', 'bool', false),
      setting('enable-hostname-label', 'bool', false),
      setting('enable-service-label', 'bool', false),
      setting('prometheus-retention-time', 'integer', 0),
      setting('global-labels', 'any', []),
      setting('metrics-sink', 'string', ''),
      setting('statsd-addr', 'string', ''),
      setting('datadog-hostname', 'string', ''),
    ],
  },
  {
    name: 'api',
    comment: 'REST API',
    settings: [
      setting('enable', 'bool', false),
      setting('swagger', 'bool', false),
      setting('address', 'address', 'tcp://localhost:1317'),
      setting('max-open-connections', 'count', 1000),
      setting('rpc-read-timeout', 'count', 10, 'Seconds.'),
      setting('rpc-write-timeout', 'count', 0, 'Seconds.'),
      setting('rpc-max-body-bytes', 'count', 1_000_000),
      setting('enabled-unsafe-cors', 'bool', false),
    ],
  },
  {
    name: 'grpc',
    comment: 'gRPC',
    settings: [
      setting('enable', 'bool', true),
      setting('address', 'string', 'localhost:9090'),
      setting('max-recv-msg-size', 'count', '10485760'),
      setting('max-send-msg-size', 'count', '2147483647'),
    ],
  },
  { name: 'grpc-web', comment: 'gRPC for browsers', settings: [setting('enable', 'bool', true)] },
  {
    name: 'state-sync',
    comment: 'Snapshots for others',
    settings: [
      setting('snapshot-interval', 'count', 0, 'Blocks between two snapshots; 0: none.'),
      setting('snapshot-keep-recent', 'count', 2),
    ],
  },
  {
    name: 'mempool',
    comment: 'Waiting transactions',
    settings: [setting('max-txs', 'integer', -1, 'Negative: no mempool of the application.')],
  },
];
