/** The work of `beam start`, `status` and `reset`. */

import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { resetHome } from '../device-agent/commands/reset.ts';
import { type PilotStatus, readPilotStatus } from '../device-agent/commands/status.ts';
import { ownBundles } from '../local-fleet/bundles.ts';
import { tell } from './command-line.ts';
import { exitCodes } from './errors.ts';
import type { HomeOptions } from './options.ts';

export function homeOf({ home }: HomeOptions): string {
  return resolve(home ?? process.env.BEAM_HOME ?? join(homedir(), '.beam'));
}

/** Runs another process's bundle in this one, which becomes it. It ends the process itself. */
export async function becomeBundle(name: 'pilot' | 'signer', args: readonly string[]): Promise<never> {
  const bundle = join(ownBundles(), `${name}.js`);
  process.argv = [process.execPath, bundle, ...args];
  // What looks for the pilot by its command line finds it.
  process.title = `beam ${name}`;
  await import(pathToFileURL(bundle).href);
  return new Promise(() => {});
}

export function runPilot(options: HomeOptions): Promise<never> {
  return becomeBundle('pilot', ['--home', homeOf(options)]);
}

export async function showStatus(options: HomeOptions): Promise<number> {
  const status = await readPilotStatus(homeOf(options));
  tell(options, status, () => describe(status));
  return status.troubles.length === 0 ? 0 : exitCodes.failed;
}

function describe(status: PilotStatus): string {
  const { cloud, role, gaiad, signing, signer, troubles } = status;
  const cloudText =
    typeof cloud === 'string'
      ? cloud
      : `${cloud.connected ? 'connected' : 'not connected'}${cloud.queued > 0 ? `, ${cloud.queued} messages wait` : ''}`;
  const rows: [string, string][] = [
    ['server', `${status.thing} (${status.kind}), Beam ${status.version}, pilot ${status.pid}`],
    ['mode', status.mode],
    [
      'role',
      `${role.role}, epoch ${role.epoch}, since ${role.since}${role.reason ? `: ${role.reason}` : ''}`,
    ],
    [
      'gaiad',
      `${gaiad.state}${gaiad.pid === null ? '' : ` (${gaiad.pid})`}, height ${gaiad.height}, ${gaiad.peers ?? '?'} peers` +
        `${gaiad.catchingUp ? ', catching up' : ''}${gaiad.waitsFor === null ? '' : `; ${gaiad.waitsFor}`}`,
    ],
    ['cloud', cloudText],
  ];
  if (signer) {
    const { status: said } = signer;
    rows.push([
      'signer',
      said ? `${said.state}, epoch ${said.epoch}, signed ${said.signed}` : 'does not answer',
    ]);
    rows.push([
      'signing',
      `last signed height ${signing.lastSignedHeight ?? '-'}, ${signing.missedTotal} missed in all`,
    ]);
  }
  for (const rejected of gaiad.rejected) {
    rows.push(['rejected', `${rejected.path} = ${JSON.stringify(rejected.value)}: ${rejected.reason}`]);
  }
  for (const trouble of troubles) rows.push([trouble.severity, trouble.text]);
  return rows.map(([name, text]) => `${name.padEnd(9)} ${text}`).join('\n');
}

export async function reset(options: HomeOptions): Promise<number> {
  const home = homeOf(options);
  const dryRun = options.dryRun === true;
  const removed = await resetHome(home, { dryRun });
  tell(options, { home, dryRun, removed }, () =>
    removed.length === 0
      ? `nothing to remove in ${home}`
      : `${dryRun ? 'would remove' : 'removed'}:\n${removed.map((path) => `  ${path}`).join('\n')}`,
  );
  return 0;
}
