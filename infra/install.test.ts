/** modules/server/files/install.sh, by a real bash and a real curl: what a server downloads is used only with its checksum. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from '@jest/globals';
import { openBeamChecker } from '../build/book/beam-commands.ts';

const script = resolve(dirname(fileURLToPath(import.meta.url)), 'modules/server/files/install.sh');
const folder = mkdtempSync(join(tmpdir(), 'beam-install-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const text = readFileSync(script, 'utf8');
const packaging = resolve(dirname(script), '../../../../packaging');

const settings = join(folder, 'install.env');
writeFileSync(settings, "REGION='eu-central-1'\nNODE_JS_URL=''\n");
const source = join(folder, 'gaiad');
writeFileSync(source, 'a binary');
const sha256 = createHash('sha256').update('a binary').digest('hex');

/** Sources the script, then runs `command` in its shell. */
function bash(command: string) {
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', `. "${script}"; ${command}`], {
    env: { PATH: process.env.PATH, INSTALL_ENV: settings },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}
const fetch = (checksum: string) => bash(`fetch "file://${source}" "${checksum}" "${join(folder, 'kept')}"`);

const noCurl = spawnSync('curl', ['--version']).error !== undefined;
// The script downloads with curl; a server has it, this machine may not.
(noCurl ? describe.skip : describe)(`a download${noCurl ? ' (curl is not installed here)' : ''}`, () => {
  test('of another content than was to be is not kept, and the reason names both', () => {
    const { status, stderr } = fetch('0'.repeat(64));
    expect(status).toBe(1);
    expect(stderr).toContain(`has the SHA-256 ${sha256}, and ${'0'.repeat(64)} was to be`);
    expect(readdirSync(folder).filter((name) => name.startsWith('kept'))).toEqual([]);
  });

  test('without a checksum is not begun', () => {
    const { status, stderr } = fetch('');
    expect(status).toBe(1);
    expect(stderr).toContain('there is no SHA-256 for file://');
    expect(existsSync(join(folder, 'kept'))).toBe(false);
  });

  test('that is what was to be is kept', () => {
    expect(fetch(sha256)).toMatchObject({ status: 0 });
    expect(readFileSync(join(folder, 'kept'), 'utf8')).toBe('a binary');
  });
});

test('sourced, the script does nothing by itself; this Node is new enough for it', () => {
  expect(bash('true')).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(bash('install_node_js')).toMatchObject({ status: 0 });
});

test('commands, options, units and folders are those of beam and of its package', () => {
  const beam = openBeamChecker();
  const values = text.slice(text.indexOf('local options=('), text.indexOf('beam init "'));
  const options = [...values.matchAll(/--[a-z][a-z0-9-]*/g)].map(([option]) => option);
  expect(options).toContain('--packaged');
  expect(beam.partial(['init', ...options])).toBeUndefined();
  expect(beam.partial(['register', '--home', '--instance-identity'])).toBeUndefined();
  expect(beam.partial(['fleet', 'admit', '--kind'])).toBeUndefined();

  expect(readdirSync(join(packaging, 'systemd'))).toEqual(
    expect.arrayContaining(
      [...text.matchAll(/\b(?:beam|gaiad)(?:-signer)?\.service/g)].map(([unit]) => unit),
    ),
  );
  expect(readFileSync(join(packaging, 'systemd/gaiad.service'), 'utf8')).toContain(
    'ExecStart=/usr/local/bin/gaiad start --home /var/lib/gaiad\n',
  );
  const folders = readFileSync(join(packaging, 'tmpfiles.conf'), 'utf8');
  for (const folder of ['/etc/beam', '/var/lib/beam', '/var/lib/beam/certs', '/var/lib/gaiad'])
    expect(folders).toMatch(new RegExp(`^d ${folder} `, 'm'));
});
