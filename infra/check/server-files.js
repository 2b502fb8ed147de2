/** What goes onto servers as it is: shell scripts, judged by shellcheck, and the unit that installs, by systemd. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
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

/** The package's own units are judged by e2e/package.test.ts. */
export function checkInstallUnit() {
  const { stderr } = spawnSync(
    'systemd-analyze',
    ['verify', '--man=no', join(files, 'beam-install.service')],
    {
      encoding: 'utf8',
    },
  );
  // What it starts is on servers alone.
  const faults = stderr.split('\n').filter((line) => line !== '' && !line.includes('is not executable'));
  for (const fault of faults) console.error(fault);
  return faults.length === 0;
}
