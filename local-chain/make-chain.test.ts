import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { parseGenesis } from './genesis.ts';
import { addressOf, nodeIdOf, nodeKeyFile, validatorKeyFile } from './keys.ts';
import { MakeError, makeChain } from './make-chain.ts';
import { loadNodeConfig, NodeConfigError } from './node-config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'beam-make-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const now = new Date('2026-01-02T03:04:05Z');
const nodes = [
  { name: 'a', p2pPort: 1001, rpcPort: 1002, validator: true },
  { name: 's', p2pPort: 1003, rpcPort: 1004, validator: false },
];
const request = () => ({ out: join(folder, 'chain'), chainId: 'c-1', blockSeconds: 2, nodes });
const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

test('each node gets a home that can start; the key is in none of them', () => {
  const { homes, keyFile } = makeChain(request(), now);
  expect(statSync(keyFile).mode & 0o777).toBe(0o600);
  const key = validatorKeyFile.parse(readJson(keyFile));
  const genesis = parseGenesis(readJson(join(homes.a?.home ?? '', 'config/genesis.json')));
  expect(genesis.validators).toHaveLength(4);
  expect(genesis.others.size).toBe(3);
  expect(genesis.validators.map(({ address }) => address)).toContain(addressOf(key.publicKey));
  expect(genesis.others.has(addressOf(key.publicKey))).toBe(false);
  for (const [name, { home, nodeId }] of Object.entries(homes)) {
    const config = loadNodeConfig(home);
    expect(config).toMatchObject({ moniker: name, pex: true, persistentPeers: [], signerSocket: undefined });
    expect(nodeIdOf(nodeKeyFile.parse(readJson(config.nodeKeyFile)).publicKey)).toBe(nodeId);
    expect(existsSync(config.validatorKeyFile)).toBe(false);
    expect(readFileSync(config.genesisFile, 'utf8')).toBe(
      readFileSync(join(homes.a?.home ?? '', 'config/genesis.json'), 'utf8'),
    );
  }
});

test('a request that can not be met makes nothing', () => {
  const wrong: [object, string][] = [
    [{ blockSeconds: 0.1 }, 'blockSeconds'],
    [{ blockSeconds: Number.NaN }, 'blockSeconds'],
    [{ chainId: 'a b' }, 'chainId'],
    [{ nodes: [] }, 'nodes'],
    [{ nodes: [nodes[0], nodes[0]] }, 'two nodes have one name'],
    [{ nodes: [{ ...nodes[0], rpcPort: 1001 }] }, 'a port is named twice'],
  ];
  for (const [changes, named] of wrong) {
    expect(() => makeChain({ ...request(), ...changes }, now)).toThrow(named);
  }
  expect(existsSync(join(folder, 'chain'))).toBe(false);
  makeChain(request(), now);
  expect(() => makeChain(request(), now)).toThrow(MakeError);
});

test.each([
  ['config.toml', 'laddr = "tcp://127.0.0.1:1002"', 'laddr = "127.0.0.1:1002"', 'rpc.laddr'],
  ['config.toml', 'timeout_propose = "3s"', 'timeout_propose = "3"', 'consensus.timeout_propose'],
  ['config.toml', 'timeout_commit = "2000ms"', 'timeout_commit = "-2s"', 'consensus.timeout_commit'],
  ['config.toml', 'persistent_peers = ""', 'persistent_peers = "nobody"', 'p2p.persistent_peers'],
  [
    'config.toml',
    'max_num_inbound_peers = 40',
    'max_num_inbound_peers = "many"',
    'p2p.max_num_inbound_peers',
  ],
  ['config.toml', 'log_level = "info"', 'log_level = "loud"', 'log_level'],
  ['config.toml', 'log_format = "plain"', 'log_format = "xml"', 'log_format'],
  ['config.toml', 'db_backend = "goleveldb"', 'db_backend = "paper"', 'db_backend'],
  [
    'config.toml',
    'priv_validator_laddr = ""',
    'priv_validator_laddr = "tcp://127.0.0.1:1"',
    'priv_validator_laddr',
  ],
  ['config.toml', 'indexer = "kv"', 'indexer = "psql"', 'tx_index.psql-conn'],
  ['config.toml', 'enable = false', 'enable = true', 'statesync.rpc_servers'],
  ['config.toml', '[p2p]', '[p2p', 'While parsing config: toml'],
  ['app.toml', 'minimum-gas-prices = "0stake"', 'minimum-gas-prices = ""', 'minimum-gas-prices'],
  ['app.toml', 'pruning = "default"', 'pruning = "some"', 'app.toml: pruning'],
  ['app.toml', 'halt-height = 0', 'halt-height = "soon"', 'app.toml: halt-height'],
])('%s with %s → %s is refused', (file, from, to, named) => {
  const home = makeChain(request(), now).homes.a?.home ?? '';
  const path = join(home, 'config', file);
  const text = readFileSync(path, 'utf8');
  expect(text).toContain(from);
  writeFileSync(path, text.replace(from, to));
  expect(() => loadNodeConfig(home)).toThrow(NodeConfigError);
  expect(() => loadNodeConfig(home)).toThrow(named);
});

test('all faults are told at once; unknown settings are passed over; flags stand above the file', () => {
  const home = makeChain(request(), now).homes.a?.home ?? '';
  const path = join(home, 'config/config.toml');
  const text = readFileSync(path, 'utf8');
  writeFileSync(
    path,
    text.replace('pex = true', 'pex = []\nsurprise = 1').replace('size = 5000', 'size = -1'),
  );
  expect(() => loadNodeConfig(home)).toThrow(/p2p\.pex.*\n.*mempool\.size/);
  writeFileSync(path, `storage = 3\n${text.replace('[storage]', '[other]')}`);
  expect(() => loadNodeConfig(home)).toThrow('[storage] must be a table');
  writeFileSync(path, `surprise = 1\n${text}`);
  expect(loadNodeConfig(home, { moniker: 'flagged', 'p2p.pex': 'false' })).toMatchObject({
    moniker: 'flagged',
    pex: false,
  });
});
