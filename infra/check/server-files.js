/** What goes onto servers as it is: shell scripts, judged by shellcheck; systemd units, verified by systemd and as closed as they were. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { infra } from './terraform.js';

const packaging = resolve(infra, '../packaging');
const files = join(infra, 'modules/server/files');

/** @returns {string | undefined} why not */
export function missingTool(tool) {
  return spawnSync(tool, ['--version']).error ? `${tool} is not installed` : undefined;
}

function passes(tool, args) {
  const { status, stdout, stderr } = spawnSync(tool, args, { encoding: 'utf8' });
  if (status !== 0) console.error(`${stdout}${stderr}`);
  return status === 0;
}

export function checkShell() {
  const maintainers = readdirSync(join(packaging, 'debian')).map((name) => join(packaging, 'debian', name));
  return [
    ['--shell=bash', join(files, 'install.sh'), resolve(infra, '../.ci/run')],
    ['--shell=sh', ...maintainers],
  ].every((args) => passes('shellcheck', args));
}

/** systemd's own marks of how exposed a service is, times ten: 0 is best, above 40 or so it says that it is. */
const exposureMax = { 'beam-signer.service': 16, 'gaiad.service': 16, 'beam.service': 23 };

export function checkUnits() {
  const folder = mkdtempSync(join(tmpdir(), 'beam-units-'));
  try {
    const places = [
      ...readdirSync(join(packaging, 'systemd')).map((name) => join(packaging, 'systemd', name)),
    ];
    const units = [...places, join(files, 'beam-install.service')].map((from) => {
      const unit = join(folder, from.slice(from.lastIndexOf('/') + 1));
      copyFileSync(from, unit);
      return unit;
    });
    const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], { encoding: 'utf8' });
    // What they start is on servers alone.
    const faults = stderr.split('\n').filter((line) => line !== '' && !line.includes('is not executable'));
    for (const fault of faults) console.error(fault);
    return (
      faults.length === 0 &&
      Object.entries(exposureMax).every(([unit, most]) =>
        passes('systemd-analyze', [
          'security',
          '--offline=true',
          '--no-pager',
          `--threshold=${most}`,
          join(folder, unit),
        ]),
      )
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
