/** The dry-run signer as a process, beside a stand-in node that signs with the key file in its own home, on the local cloud. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import toml from '@iarna/toml';
import { afterAll, afterEach, expect, test } from '@jest/globals';
import { freePorts } from '../local-fleet/processes/ports.ts';
import { type DryRunReport, dryRunReport } from '../signer/dry-run/report.ts';
import { beam, until } from './beam.ts';
import { endAll, start } from './cloud-process.ts';

const bundles = process.env.BEAM_BUNDLES ?? '';
const chainId = 'standin-1';
const folder = mkdtempSync(join(tmpdir(), 'beam-dry-run-'));
const processes: ChildProcess[] = [];

afterEach(async () => {
  for (const child of processes.splice(0)) await end(child);
});
afterAll(async () => {
  await endAll();
  rmSync(folder, { recursive: true, force: true });
});

function run(bundle: string, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [join(bundles, `${bundle}.js`), ...args], { stdio: 'ignore' });
  processes.push(child);
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
  return child.exitCode;
}

/** A chain with one validator of ours, whose node has the key. */
function makeChain(p2pPort: number, rpcPort: number): string {
  const out = join(folder, 'chain');
  const nodes = JSON.stringify([{ name: 'a', p2pPort, rpcPort, validator: true }]);
  const args = [
    'make',
    '--out',
    out,
    '--chain-id',
    chainId,
    '--block-seconds',
    '0.6',
    '--nodes',
    nodes,
    '--json',
  ];
  const text = execFileSync(process.execPath, [join(bundles, 'stand-in-chain.js'), ...args], {
    encoding: 'utf8',
  });
  const { keyFile, homes } = JSON.parse(text);
  writeFileSync(join(homes.a.home, 'config/priv_validator_key.json'), readFileSync(keyFile));
  return homes.a.home;
}

function setMode(home: string, mode: string): void {
  const file = join(home, 'config.toml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^mode = .*$/m, `mode = "${mode}"`));
}

test('a dry-run judges what the node signs, agrees with the chain, and has neither key nor socket', async () => {
  const { ready } = await start(folder);
  const [p2p = 0, rpc = 0] = await freePorts(2);
  const gaiadHome = makeChain(p2p, rpc);
  const home = join(folder, 'home');
  mkdirSync(home);
  const { accessKeyId, secretAccessKey, https, mqtt, ca } = ready;
  writeFileSync(
    join(home, 'credentials'),
    `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
  );
  writeFileSync(join(home, 'node.toml'), toml.stringify({ fleet: 'demo', node: 'a', kind: 'validator' }));
  writeFileSync(
    join(home, 'config.toml'),
    toml.stringify({
      mode: 'dry-run',
      cloud: { mqtt, https, ca, region: 'local', certificate: 'c', key: 'k', credentials: 'credentials' },
      gaiad: { command: ['gaiad'], home: gaiadHome, rpc: `http://127.0.0.1:${rpc}`, p2p: `127.0.0.1:${p2p}` },
      signer: { chain_id: chainId },
    }),
  );
  const node = run('stand-in-chain', 'start', '--home', gaiadHome);
  // The home has no key at all: where there is one, nothing of a dry-run reads it.
  expect(existsSync(join(home, 'signer'))).toBe(false);
  const signer = run('signer', '--home', home);

  const file = join(home, 'signer/state-dry-run/report.json');
  const reported = (holds: (report: DryRunReport) => boolean) => async () => {
    if (!existsSync(file)) return undefined;
    const report = dryRunReport.parse(JSON.parse(readFileSync(file, 'utf8')));
    return holds(report) ? report : undefined;
  };
  const seen = await until(
    'commits that agree',
    reported(({ commits }) => commits.agreed >= 4),
    40_000,
  );
  expect(seen.recordKey).toBe(`${chainId}/dry-run/demo_a`);
  expect(seen.commits).toMatchObject({ otherBlock: 0, unseen: 0 });
  // A busy machine may be too slow for a signature; nothing else may be refused.
  expect(Object.keys(seen.wouldRefuse).filter((code) => !['doubt', 'too-late'].includes(code))).toEqual([]);
  expect(seen.wouldSign.precommit).toBeGreaterThanOrEqual(seen.commits.agreed);
  expect(existsSync(join(home, 'run/signer.sock'))).toBe(false);
  const status = await beam(['signer', 'status', '--home', home, '--json']);
  expect(JSON.parse(status.stdout)).toMatchObject({ state: 'dry-run', guard: 'none', nodeConnected: true });

  await end(node);
  await until(
    'a request of the standby',
    reported(({ asks }) => asks.yielded >= 1),
    20_000,
  );
  expect(await end(signer, 'SIGTERM')).toBe(0);
  const { code, stdout } = await beam(['signer', 'dry-run', '--report', '--home', home, '--json']);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    clean: false,
    problems: expect.arrayContaining([expect.stringContaining('commits were compared')]),
  });

  // In the modes before it, no signer runs.
  setMode(home, 'config');
  const refused = run('signer', '--home', home);
  await once(refused, 'exit');
  expect(refused.exitCode).toBe(78);
}, 120_000);
