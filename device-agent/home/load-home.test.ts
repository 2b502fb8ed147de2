import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadHome } from './load-home.ts';

const node = 'fleet = "demo"\nnode = "a"\nkind = "validator"\n';
const config = `[gaiad]
command = ["gaiad"]
home = "gaiad"
rpc = "http://127.0.0.1:26657"
p2p = "10.0.0.1:26656"
[signer]
chain_id = "demo-1"
`;

function home(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'beam-home-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  return root;
}

async function faults(files: Record<string, string>): Promise<string> {
  const error = await loadHome(home(files)).then(
    () => undefined,
    (caught) => caught,
  );
  expect(error?.name).toBe('ConfigError');
  return String(error.message);
}

test('paths are taken from the home, defaults filled in', async () => {
  const root = home({ 'config.toml': config, 'node.toml': node });
  const loaded = await loadHome(root);
  expect(loaded.thing).toBe('demo_a');
  expect(loaded.path(loaded.config.signer?.socket ?? '')).toBe(join(root, 'run/signer.sock'));
  expect(loaded.path('/srv/gaiad')).toBe('/srv/gaiad');
  expect(loaded.config.health.seconds).toBe(10);
});

test('a syntax error names file, line and column', async () => {
  const text = await faults({ 'config.toml': `${config}\nlevel = = 1\n`, 'node.toml': node });
  expect(text).toMatch(/config\.toml: line 9, column \d+: not TOML/);
});

test('all faults of both files at once, each by its path', async () => {
  const text = await faults({
    'config.toml': config.replace('command = ["gaiad"]', 'command = "gaiad"\ncolour = "red"'),
    'node.toml': 'fleet = "De Mo"\nnode = "a"\nkind = "validator"\n',
  });
  for (const part of [
    'gaiad.command',
    'gaiad.colour: no such setting',
    'node.toml: fleet: must be 1 to 32',
  ]) {
    expect(text).toContain(part);
  }
});

test.each<[string, string, string, RegExp]>([
  ['neither a command nor a unit', config.replace(/^command.*\n/m, ''), node, /gaiad\.command: missing/],
  [
    'a command beside a unit',
    config.replace('home =', 'unit = "gaiad.service"\nhome ='),
    node,
    /gaiad\.unit: beside command/,
  ],
  ['a missing file', '', node, /config\.toml: there is no such file; .*beam init/],
  ['a signer on a sentry', config, node.replace('validator', 'sentry'), /signer: a sentry has none/],
  [
    "the key in gaiad's home",
    `${config}key = "gaiad/config/priv_validator_key.json"\n`,
    node,
    /lies inside gaiad's home/,
  ],
  [
    'a socket path too long',
    `${config}socket = "${'x'.repeat(110)}"\n`,
    node,
    /signer\.socket: its whole path has \d+ bytes/,
  ],
])('%s', async (_, configText, nodeText, message) => {
  const files = { ...(configText ? { 'config.toml': configText } : {}), 'node.toml': nodeText };
  expect(await faults(files)).toMatch(message);
});
