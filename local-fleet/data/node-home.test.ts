import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import TOML from '@iarna/toml';
import { afterAll, expect, test } from '@jest/globals';
import { configFile, nodeFile, parseConfig } from '../../protocol/config.ts';
import { FleetDataError, readFleetFile, socketFolder } from './layout.ts';
import { consensusKeyPath, type NodeHomeSpec, placeConsensusKey, writeNodeHome } from './node-home.ts';

const folder = mkdtempSync(join(tmpdir(), 'beam-home-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function spec(root: string, kind: 'validator' | 'sentry'): NodeHomeSpec {
  return {
    root,
    node: { fleet: 'demo', node: 'a', kind, zone: 'local-1' },
    cloud: {
      mqtt: 'localhost:8883',
      https: 'https://localhost:8443',
      socket: '/data/cloud/https.sock',
      region: 'local',
      ca: '/data/ca.pem',
      credentialProvider: 'localhost:8444',
    },
    gaiad: { command: ['/bin/gaiad'], startArguments: [], home: '/data/a', rpcPort: 1, p2pPort: 2 },
    chainId: 'beam-demo',
    healthSeconds: 2,
  };
}

test.each(['validator', 'sentry'] as const)('the home of a %s parses by the contract', async (kind) => {
  const root = mkdtempSync(join(folder, 'x'));
  const accessKey = join(root, 'certs/credentials');
  mkdirSync(join(root, 'certs'));
  writeFileSync(accessKey, 'of an earlier version');
  await writeNodeHome(spec(root, kind));
  const read = (name: string) => TOML.parse(readFileSync(join(root, name), 'utf8'));
  const config = parseConfig(configFile, read('config.toml'), 'config.toml');
  expect(parseConfig(nodeFile, read('node.toml'), 'node.toml')).toMatchObject({ node: 'a', kind });
  expect(config.signer?.chain_id).toBe(kind === 'validator' ? 'beam-demo' : undefined);
  // By its certificate alone: no access key lies on a server.
  expect(config.cloud?.credentials).toBeUndefined();
  expect(config.cloud?.credential_provider).toBe(kind === 'validator' ? 'localhost:8444' : undefined);
  expect(config.cloud?.socket).toBe(kind === 'validator' ? '/data/cloud/https.sock' : undefined);
  expect(existsSync(accessKey)).toBe(false);
});

test('the consensus key is placed once, for its owner alone', async () => {
  const root = mkdtempSync(join(folder, 'x'));
  const key = join(root, 'made.json');
  writeFileSync(key, 'first', { mode: 0o644 });
  await placeConsensusKey(root, key);
  writeFileSync(key, 'second');
  await placeConsensusKey(root, key);
  expect(readFileSync(consensusKeyPath(root), 'utf8')).toBe('first');
  expect(statSync(consensusKeyPath(root)).mode & 0o777).toBe(0o600);
});

test('sockets of a deep home lie in a short folder', () => {
  expect(socketFolder('/data/nodes/a')).toBe('/data/nodes/a/run');
  const deep = socketFolder(`/${'deep/'.repeat(30)}nodes/a`);
  expect(Buffer.byteLength(join(deep, 'signer-control.sock'))).toBeLessThanOrEqual(107);
});

test('a fleet.json of another version is refused with what to do', () => {
  const data = mkdtempSync(join(folder, 'x'));
  expect(readFleetFile(data)).toBeUndefined();
  writeFileSync(join(data, 'fleet.json'), '{"version":7}');
  expect(() => readFleetFile(data)).toThrow(FleetDataError);
  expect(() => readFleetFile(data)).toThrow(/--data/);
});
