import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadHome } from '../home/load-home.ts';
import { type InitOptions, initHome } from './init.ts';
import { resetHome } from './reset.ts';
import { readPilotStatus } from './status.ts';

const options = (home: string): InitOptions => ({
  home,
  node: { fleet: 'demo', node: 'a', kind: 'validator', zone: 'z1' },
  config: {
    gaiad: {
      command: ['gaiad', '--x'],
      home: '/srv/gaiad',
      rpc: 'http://127.0.0.1:26657',
      p2p: '10.0.0.1:26656',
    },
    signer: { chain_id: 'demo-1' },
  },
});

const fresh = () => join(mkdtempSync(join(tmpdir(), 'beam-init-')), 'home');

test("init writes what start reads, and never over an operator's file", async () => {
  const home = fresh();
  expect(await initHome(options(home))).toEqual([join(home, 'config.toml'), join(home, 'node.toml')]);
  const loaded = await loadHome(home);
  expect(loaded).toMatchObject({
    thing: 'demo_a',
    config: { mode: 'sign', gaiad: { command: ['gaiad', '--x'] } },
  });
  expect(readFileSync(join(home, 'config.toml'), 'utf8')).toContain('mode = "sign"');
  await expect(initHome(options(home))).rejects.toThrow(/config\.toml is there already; give --force/);
  const changed = options(home);
  changed.node.zone = 'z2';
  await initHome({ ...changed, force: true });
  expect((await loadHome(home)).node.zone).toBe('z2');
});

test("init writes behind the links of Beam's package, which stay", async () => {
  const home = fresh();
  const managed = join(dirname(home), 'etc');
  for (const folder of [home, managed]) mkdirSync(folder);
  for (const name of ['config.toml', 'node.toml']) symlinkSync(join(managed, name), join(home, name));
  await initHome(options(home));
  expect(readFileSync(join(managed, 'node.toml'), 'utf8')).toContain('fleet = "demo"');
  expect((await loadHome(managed)).thing).toBe('demo_a');
  await expect(initHome(options(home))).rejects.toThrow(/config\.toml is there already/);
  await initHome({ ...options(home), force: true });
  expect(lstatSync(join(home, 'config.toml')).isSymbolicLink()).toBe(true);
});

test('init writes nothing where a setting is wrong', async () => {
  const home = fresh();
  const wrong = options(home);
  wrong.config.gaiad.rpc = 'nowhere';
  await expect(initHome(wrong)).rejects.toThrow(/gaiad\.rpc/);
  expect(existsSync(home)).toBe(false);
});

test("reset removes the pilot's own and nothing else", async () => {
  const home = fresh();
  await initHome(options(home));
  const own = [
    'run/status.json',
    'run/gaiad.json',
    'state/outbox.jsonl',
    'state/gaiad.json',
    'state/signing.json',
  ];
  const others = [
    'run/signer.sock',
    'signer/priv_validator_key.json',
    'signer/state/state.json',
    'certs/device.key',
  ];
  for (const file of [...own, ...others, 'state/last-good/config.toml']) {
    mkdirSync(join(home, file, '..'), { recursive: true });
    writeFileSync(join(home, file), file === 'run/status.json' ? '{"pid":2147483647}' : 'x');
  }
  const all = [...own.slice(0, 4), 'state/last-good', 'state/signing.json'].map((file) => join(home, file));
  expect(await resetHome(home, { dryRun: true })).toEqual(all);
  expect(await resetHome(home)).toEqual(all);
  for (const file of own) expect(existsSync(join(home, file))).toBe(false);
  for (const file of [...others, 'config.toml', 'node.toml'])
    expect(readFileSync(join(home, file))).toBeDefined();
  expect(await resetHome(home)).toEqual([]);
});

test('status says how to get a pilot where none runs', async () => {
  const home = fresh();
  await expect(readPilotStatus(home)).rejects.toThrow(/no pilot runs on .*beam start --home/);
  mkdirSync(join(home, 'run'), { recursive: true });
  writeFileSync(join(home, 'run/status.json'), '{"pid":1,"address":"http://127.0.0.1:1"}');
  await expect(readPilotStatus(home)).rejects.toThrow(/does not answer at http:\/\/127\.0\.0\.1:1/);
  writeFileSync(join(home, 'run/status.json'), '{"pid":1}');
  await expect(readPilotStatus(home)).rejects.toThrow(/set another \[status\] port/);
});
