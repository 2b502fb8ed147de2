import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { root } from '../build/bundle.js';
import { type MadePackage, makePackages } from '../build/package.js';

const has = (program: string) => spawnSync(program, ['--version']).error === undefined;
/** Users are made in that root, which root alone may. */
const canInstall = has('dpkg') && has('systemd-sysusers') && process.getuid?.() === 0;

const folder = mkdtempSync(join(tmpdir(), 'beam-package-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let made: MadePackage[];
beforeAll(async () => {
  made = await makePackages({ out: join(folder, 'first') });
});

test('the same sources give the same package and tarball', async () => {
  const again = await makePackages({ out: join(folder, 'second') });
  expect(again.map(({ sha256 }) => sha256)).toEqual(made.map(({ sha256 }) => sha256));
});

// Where a part is not at hand nothing real can run: the name says what is needed.
(canInstall ? test : test.skip)(
  'dpkg installs it into a root of its own, where it runs; removed and purged, it leaves key and state (needs dpkg, systemd, root)',
  () => {
    const target = join(folder, 'root');
    for (const part of ['info', 'updates', 'triggers']) {
      mkdirSync(join(target, 'var/lib/dpkg', part), { recursive: true });
    }
    mkdirSync(join(target, 'etc'));
    writeFileSync(join(target, 'var/lib/dpkg/status'), '');
    const dpkg = (...words: string[]) =>
      execFileSync(
        'dpkg',
        [`--root=${target}`, '--force-depends', '--force-script-chrootless', '--log=/dev/null', ...words],
        { stdio: ['ignore', 'pipe', 'pipe'] },
      ).toString();
    const at = (path: string) => join(target, path);
    dpkg('--install', made.find(({ path }) => path.endsWith('.deb'))?.path ?? '');

    const mode = (path: string) => (statSync(at(path)).mode & 0o7777).toString(8);
    const modes = Object.fromEntries(
      [
        'etc/beam',
        'var/lib/beam',
        'var/lib/beam/certs',
        'var/lib/beam/run',
        'var/lib/beam/state',
        'var/lib/beam/signer/state',
        'var/lib/gaiad/config',
        'run/beam/control',
      ].map((path) => [path, mode(path)]),
    );
    expect(modes).toEqual({
      'etc/beam': '2750',
      'var/lib/beam': '3770',
      'var/lib/beam/certs': '2750',
      'var/lib/beam/run': '750',
      'var/lib/beam/state': '750',
      'var/lib/beam/signer/state': '700',
      'var/lib/gaiad/config': '2770',
      'run/beam/control': '2770',
    });
    const owner = (path: string) => statSync(at(`var/lib/${path}`)).uid;
    const owners = ['beam/certs', 'beam/signer', 'gaiad'].map(owner);
    expect(new Set([0, ...owners]).size).toBe(4);
    // `beam init`, given by root, finds them there: a pilot can't write into what root made.
    for (const path of ['run', 'state', 'logs']) expect(owner(`beam/${path}`)).toBe(owners[0]);

    const node = (...words: string[]) =>
      spawnSync(process.execPath, words, { env: {}, encoding: 'utf8', timeout: 60_000 });
    expect(node(at('usr/bin/beam'), 'version').stdout).toContain('beam 0.1.0');
    expect(node(at('usr/lib/beam/dist/pilot.js'), '--help').stdout).toContain('Usage: pilot.js');
    const signer = node(at('usr/lib/beam/dist/signer.js'), '--home', at('var/lib/beam'));
    expect({ status: signer.status, tellsWhy: signer.stderr.includes('beam init') }).toEqual({
      status: 78,
      tellsWhy: true,
    });
    const cloud = node(at('usr/bin/beam'), 'up', '--data', join(folder, 'data'));
    expect(cloud.stderr).toContain('checkout');

    const key = at('var/lib/beam/signer/priv_validator_key.json');
    writeFileSync(key, 'a key');
    dpkg('--remove', 'beam');
    expect(existsSync(at('usr/lib/beam'))).toBe(false);
    dpkg('--purge', 'beam');
    expect(readFileSync(key, 'utf8')).toBe('a key');
  },
);

// As above: there is no other judge of units.
(has('systemd-analyze') ? test : test.skip)(
  'systemd finds no fault with the units, and rates each 2.5 or safer (needs systemd-analyze)',
  () => {
    const folderOfUnits = join(root, 'packaging/systemd');
    const units = readdirSync(folderOfUnits).map((name) => join(folderOfUnits, name));
    expect(units).toHaveLength(3);
    const { stderr } = spawnSync('systemd-analyze', ['verify', ...units], { encoding: 'utf8' });
    // Node and gaiad may not be on this machine.
    const faults = stderr.split('\n').filter((line) => line !== '' && !line.includes('is not executable'));
    expect(faults).toEqual([]);
    for (const unit of units) {
      const rated = spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=25', unit], {
        encoding: 'utf8',
      });
      expect({ unit, status: rated.status }).toEqual({ unit, status: 0 });
    }
  },
);

test('bash completes commands, their subcommands and options', () => {
  const script = join(folder, 'completion.bash');
  const beam = join(process.env.BEAM_BUNDLES ?? '', 'beam.js');
  writeFileSync(script, execFileSync(process.execPath, [beam, 'completion', 'bash']));
  const complete = (...words: string[]) =>
    execFileSync('bash', [
      '-c',
      `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _beam; echo "\${COMPREPLY[@]}"`,
      'bash',
      script,
      'beam',
      ...words,
    ])
      .toString()
      .trim();
  expect(complete('sig')).toBe('signer');
  expect(complete('signer', 'enr')).toBe('enrol');
  expect(complete('signer', 'enrol', '--chain')).toBe('--chain-not-started');
});
