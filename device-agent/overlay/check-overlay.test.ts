import { expect, test } from '@jest/globals';
import { checkOverlay, type OverlayCheck } from './check-overlay.ts';
import type { TomlTable } from './toml-tree.ts';

const id = 'a'.repeat(40);

const check: OverlayCheck = {
  kind: 'validator',
  underSigner: true,
  rpcPort: 26657,
  files: {
    'config.toml': {
      moniker: 'm',
      priv_validator_laddr: '',
      rpc: { laddr: 'tcp://127.0.0.1:26657', unsafe: false },
      p2p: { pex: false, persistent_peers: '', new_in_this_version: '10s', ratio: 0.5 },
      consensus: { double_sign_check_height: 0, timeout_commit: '5s' },
    },
    'app.toml': { 'minimum-gas-prices': '0stake', api: { enable: false } },
  },
};

function faults(overlay: TomlTable, over: Partial<OverlayCheck> = {}): string[] {
  return checkOverlay(overlay, { ...check, ...over }).map(({ path, reason }) => `${path}: ${reason}`);
}
const config = (settings: TomlTable, over: Partial<OverlayCheck> = {}) =>
  faults({ 'config.toml': settings }, over);

test('what is right passes', () => {
  expect(
    faults({
      'config.toml': {
        moniker: 'other',
        p2p: {
          persistent_peers: `${id}@10.0.0.1:26656, ${id}@sentry:26656`,
          pex: false,
          new_in_this_version: '1m30s',
        },
        consensus: { timeout_commit: '1.5s', timeout_propose: '3s' },
        rpc: { laddr: 'tcp://0.0.0.0:26657' },
        mempool: { size: 5000 },
      },
      'app.toml': { 'minimum-gas-prices': '0.1stake', api: { enable: true } },
    }),
  ).toEqual([]);
});

test.each<[string, TomlTable, RegExp]>([
  ['priv_validator_laddr', { priv_validator_laddr: 'tcp://x:1' }, /belongs to the pilot/],
  ['priv_validator_key_file', { priv_validator_key_file: 'k' }, /belongs to the pilot/],
  ['nested priv_validator', { p2p: { priv_validator_x: 'k' } }, /belongs to the pilot/],
  ['priv-validator table', { 'priv-validator': { laddr: 'x' } }, /belongs to the pilot/],
  ['double_sign_check_height', { consensus: { double_sign_check_height: 10 } }, /stays 0/],
  ['pex', { p2p: { pex: true } }, /does not exchange peers/],
  ['a typo', { p2p: { persistant_peers: '' } }, /no such setting/],
  ['an unknown table', { p2pp: { pex: false } }, /no such setting/],
  ['a negative duration', { consensus: { timeout_commit: '-5s' } }, /duration/],
  ['a duration without a unit', { consensus: { timeout_commit: '5' } }, /duration/],
  ['a number for a duration', { consensus: { timeout_commit: 5 } }, /duration/],
  ['a duration by the file alone', { p2p: { new_in_this_version: 'soon' } }, /duration/],
  ['a negative count', { mempool: { size: -1 } }, /not negative/],
  ['a fraction for a whole number', { p2p: { max_num_inbound_peers: 1.5 } }, /whole number/],
  ['a string for a boolean', { p2p: { pex: 'false' } }, /true or false/],
  ['a value for a table', { p2p: 'x' }, /must be a table/],
  ['a table for a value', { moniker: { a: 1 } }, /no such setting/],
  ['a bad peer', { p2p: { persistent_peers: `${id}@host` } }, /is not <node id>/],
  ['a bad id', { p2p: { private_peer_ids: 'abc' } }, /node id of 40/],
  ['a bad listen address', { p2p: { laddr: '0.0.0.0:26656' } }, /tcp:\/\/host:port/],
  ['another RPC port', { rpc: { laddr: 'tcp://127.0.0.1:1' } }, /watches this node at port 26657/],
  ['an unsafe RPC', { rpc: { unsafe: true } }, /everybody/],
  ['a data folder', { db_dir: '/elsewhere' }, /machine's own/],
  ['a genesis', { genesis_file: 'g.json' }, /machine's own/],
  ['adaptive_sync', { blocksync: { adaptive_sync: true } }, /no such setting/],
])('refused on a validator: %s', (_, settings, reason) => {
  const found = config(settings);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(reason);
});

test('adaptive_sync is refused where the chain has it', () => {
  const files = { 'config.toml': { blocksync: { adaptive_sync: false } } };
  expect(config({ blocksync: { adaptive_sync: true } }, { files })[0]).toMatch(/past the checks/);
});

test('what depends on the kind of server', () => {
  expect(config({ p2p: { pex: true } }, { kind: 'sentry', underSigner: false })).toEqual([]);
  expect(config({ consensus: { double_sign_check_height: 10 } }, { underSigner: false })).toEqual([]);
});

test('other files, missing files, all faults at once, long values cut', () => {
  expect(faults({ 'client.toml': { a: 1 } })[0]).toMatch(/no other files/);
  expect(faults({ 'app.toml': { x: 1 } }, { files: {} })[0]).toMatch(/has no app\.toml/);
  const found = checkOverlay({ 'config.toml': { a: 1, b: 'x'.repeat(500) } }, check);
  expect(found).toHaveLength(2);
  expect(JSON.stringify(found[1]?.value).length).toBeLessThan(200);
});
