/** Bad input at each door: an error that names place and remedy, an exit code that isn't 0, nothing lost. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { issueFromCsr, makeAuthority } from '../certs-scripts/ca.ts';
import { createCsr } from '../certs-scripts/csr.ts';
import { makeDeviceKey } from '../certs-scripts/device-key.ts';
import { findReadyLine, type ReadyLine } from '../local-fleet/ready-line.ts';
import { beam, beamCommand, until } from './beam.ts';

const folder = mkdtempSync(join(tmpdir(), 'beam-bad-'));
let cloud: ChildProcess;
let ready: ReadyLine;

beforeAll(async () => {
  cloud = start([
    'cloud',
    '--data',
    join(folder, 'cloud'),
    '--mqtt-port',
    '0',
    '--https-port',
    '0',
    '--json',
  ]);
  ready = await until('the cloud is ready', () => findReadyLine(outputOf(cloud)));
  writeFileSync(join(folder, 'local.json'), JSON.stringify(ready));
}, 60_000);
afterAll(async () => {
  cloud?.kill('SIGTERM');
  if (cloud?.exitCode === null) await once(cloud, 'exit');
  rmSync(folder, { recursive: true, force: true });
});

const outputs = new WeakMap<ChildProcess, string>();
const outputOf = (child: ChildProcess) => outputs.get(child) ?? '';

function start(args: string[]): ChildProcess {
  const [file = '', ...leading] = beamCommand();
  const child = spawn(file, [...leading, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      outputs.set(child, outputOf(child) + text);
    });
  }
  return child;
}

/** A sentry's home, registered with the cloud. */
async function makeHome(name: string, ...more: string[]): Promise<string> {
  const home = join(folder, name);
  const args = ['init', '--home', home, '--fleet', 'lone', '--node', name, '--kind', 'sentry'];
  args.push('--gaiad', '/nowhere/gaiad', '--gaiad-home', join(home, 'gaiad'), '--p2p', '127.0.0.1:1');
  const made = await beam([...args, '--rpc', 'http://127.0.0.1:1', '--data', folder, ...more]);
  if (made.code !== 0) throw new Error(made.stderr);
  return home;
}

function change(file: string, from: string | RegExp, to: string): void {
  const text = readFileSync(file, 'utf8');
  expect(text).toMatch(from);
  writeFileSync(file, text.replace(from, to));
}

test('config.toml with unknown and ill-typed keys: all faults at once, by path', async () => {
  const home = await makeHome('config');
  change(join(home, 'config.toml'), '[gaiad]', '[gaiad]\nhomme = "/x"\ncommand = 7\n#');
  change(join(home, 'config.toml'), /^command = \[.*$/m, '');
  const { code, stderr } = await beam(['start', '--home', home]);
  expect(code).toBe(78);
  expect(stderr).toContain(join(home, 'config.toml'));
  expect(stderr).toMatch(/gaiad\.homme: no such setting; remove it or correct its name/);
  expect(stderr).toMatch(/gaiad\.command: /);
  change(join(home, 'config.toml'), 'homme', '= homme');
  const broken = await beam(['start', '--home', home]);
  expect(broken.code).toBe(78);
  expect(broken.stderr).toMatch(/config\.toml.*\n?.*line \d+/);
});

test('a certificate or a claim that could not be kept is not asked for; what is in its place is named', async () => {
  const local = ['--data', folder];
  const home = await makeHome('lost');
  const csr = join(home, 'certs/device.csr');
  const certificates = async () => (await beam(['certs', 'list', 'lone_lost', ...local])).stdout;
  const before = await certificates();
  const server = ['--fleet', 'lone', '--node', 'lost', '--kind', 'sentry'];
  for (const [out, fault] of [
    [join(home, 'nowhere/x.pem'), /nowhere\/x\.pem can't be written: .*check the name/],
    [join(home, 'certs'), /certs is a folder: name a file/],
  ] as const) {
    const lost = await beam(['certs', 'register', ...server, '--csr', csr, '--out', out, ...local]);
    expect(lost).toMatchObject({ code: 2, stderr: expect.stringMatching(fault) });
  }
  expect(await certificates()).toBe(before);
  const folderForCsr = await beam(['certs', 'register', ...server, '--csr', home, '--out', csr, ...local]);
  expect(folderForCsr.stderr).toMatch(/lost can't be read: .*a folder is where a file is to be/);

  // A claim's key beside another's certificate; then none, where the certificate in place is not of this server's key.
  const claim = join(folder, 'claim');
  expect((await beam(['certs', 'claim', '--out', claim, ...local])).code).toBe(0);
  const certs = join(home, 'certs');
  writeFileSync(join(certs, 'device.pem.crt'), readFileSync(join(claim, 'claim.pem.crt')));
  expect(await beam(['register', '--home', home])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /claim\.pem\.crt is not there, and .*device\.pem\.crt is not of .*beam certs claim/,
    ),
  });
  writeFileSync(join(certs, 'claim.pem.crt'), readFileSync(join(claim, 'claim.pem.crt')));
  writeFileSync(join(certs, 'claim.key'), 'no key');
  expect(await beam(['register', '--home', home])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/claim\.key is no private key in PEM; put there both files/),
  });
  // What says itself what is to be there has no second remedy behind it.
  rmSync(join(certs, 'device.pem.crt'));
  expect(await beam(['certs', 'renew', '--home', home])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/device\.pem\.crt is not there; register this server with `beam init`\n$/),
  });
  // Another pair would be as unreadable.
  rmSync(join(certs, 'claim.key'));
  mkdirSync(join(certs, 'claim.key'));
  expect(await beam(['register', '--home', home])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/claim\.key can't be read \(EISDIR\); check its owner and mode\n$/),
  });
});

test('a server without AWS credentials is told what to give init, and what comes after it', async () => {
  const home = join(folder, 'fresh');
  const init = ['init', '--home', home, '--fleet', 'lone', '--node', 'fresh', '--kind', 'validator'];
  init.push('--chain-id', 'c-1', '--gaiad', 'g', '--gaiad-home', '/g', '--p2p', 'h:1', '--no-register');
  init.push('--endpoint', ready.https, '--ca', ready.ca);
  const env = { AWS_EC2_METADATA_DISABLED: 'true', AWS_ACCESS_KEY_ID: '', AWS_PROFILE: '', HOME: folder };
  expect(await beam(init, env)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/no AWS credentials.*--mqtt HOST:8883.*--credential-provider HOST:443/s),
  });
  const made = await beam([...init, '--mqtt', ready.mqtt], env);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  expect(made.stdout).toMatch(/no --credential-provider.*fleet admit lone fresh.*beam register --home/s);
});

test("a broken, an expired and another key's certificate: the file is named before anything is tried", async () => {
  const home = await makeHome('pem');
  const file = join(home, 'certs/device.pem.crt');
  const good = readFileSync(file, 'utf8');
  writeFileSync(file, good.slice(0, 200));
  expect(await beam(['start', '--home', home])).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/device\.pem\.crt.* is no certificate in PEM.*beam init --force/s),
  });
  const csr = readFileSync(join(home, 'certs/device.csr'), 'utf8');
  const authority = await makeAuthority('another authority');
  writeFileSync(
    file,
    await issueFromCsr(authority, csr, { days: 1, from: Date.now() - 3 * 24 * 3600 * 1000 }),
  );
  expect(await beam(['start', '--home', home])).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/device\.pem\.crt.*expired|device\.pem\.crt.*ended/s),
  });
  writeFileSync(file, await issueFromCsr(authority, await createCsr(makeDeviceKey(), 'lone_pem')));
  expect(await beam(['start', '--home', home])).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/is not the key of .*device\.pem\.crt/),
  });
  writeFileSync(file, good);
});

test("a foreign authority's certificate: the cloud refuses it, the pilot says so and goes on", async () => {
  const home = await makeHome('foreign');
  const csr = readFileSync(join(home, 'certs/device.csr'), 'utf8');
  const foreign = await issueFromCsr(await makeAuthority('another authority'), csr);
  writeFileSync(join(home, 'certs/device.pem.crt'), foreign);
  const pilot = start(['start', '--home', home]);
  const said = await until('the pilot says that it is refused', () => {
    const line = outputOf(pilot)
      .split('\n')
      .find((text) => text.includes('"part":"cloud"') && !text.includes('"level":"info"'));
    return line;
  });
  expect(said).toMatch(/certificate|refused|closed/i);
  expect(pilot.exitCode).toBeNull();
  pilot.kill('SIGTERM');
  expect(await once(pilot, 'exit')).toEqual([0, null]);
});

test('oversized, malformed and misaddressed shadows: refused by name, by the command and by the cloud', async () => {
  await makeHome('shadow');
  const edit = (...args: string[]) => beam(['shadow', 'edit', ...args, '--data', folder]);
  const large = JSON.stringify({
    config: { 'config.toml': { moniker: 'x'.repeat(4000), a: 'y'.repeat(4000), b: 'z'.repeat(400) } },
  });
  expect(await edit('lone_shadow', 'gaiad', large)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('8192'),
  });
  expect(await edit('lone_shadow', 'gaiad', '{"config":')).toMatchObject({ code: 2 });
  expect(await edit('lone_shadow', 'role', 'role=king')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/role: /),
  });
  expect(await edit('lone_nobody', 'role', 'role=standby')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no thing lone_nobody is registered'),
  });
  expect(await edit('lone_shadow', 'rolle', 'role=standby')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('there is no shadow "rolle"'),
  });
});

test('names, endpoints and fleets that are not there', async () => {
  const sentry = ['--kind', 'sentry', '--gaiad', 'g', '--gaiad-home', '/g', '--p2p', 'h:1', '--stand-alone'];
  const home = join(folder, 'never');
  const init = await beam(['init', '--home', home, '--fleet', 'Bad_Name', '--node', 'a', ...sentry]);
  expect(init).toMatchObject({ code: 2, stderr: expect.stringMatching(/fleet: must be 1 to 32 of a-z/) });
  expect(existsSync(home)).toBe(false);
  expect(await beam(['fleet', 'show', 'nothing', '--data', folder])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('there is no fleet nothing here'),
  });
  await beam(['fleet', 'admit', 'fresh', 'a', '--kind', 'sentry', '--data', folder]);
  expect(await beam(['fleet', 'show', 'fresh', '--data', folder])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/the fleet fresh has no registered server .*beam register/),
  });
  expect(await beam(['failover', 'nothing', '--data', folder])).toMatchObject({ code: 2 });
  expect(await beam(['fleet', 'list', '--data', join(folder, 'empty')])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('beam up --data'),
  });
  const local = join(folder, 'gone.json');
  writeFileSync(local, JSON.stringify({ ...ready, https: 'https://localhost:1' }));
  expect(await beam(['fleet', 'list'], { BEAM_LOCAL: local })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/https:\/\/localhost:1: nothing listens there/),
  });
});

test('a port that is taken: which one, and what needs it; the folder stays as it was', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const data = join(folder, 'up');
  const up = await beam(['up', '--data', data, '--https-port', String(port), '--once']);
  expect(up).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(new RegExp(`port ${port} \\(the cloud's HTTPS\\)`)),
  });
  expect(existsSync(join(data, 'fleet.json'))).toBe(false);
  const alone = await beam(['cloud', '--data', data, '--https-port', String(port), '--mqtt-port', '0']);
  expect(alone).toMatchObject({ code: 1, stderr: expect.stringContaining(String(port)) });
  taken.close();
});

test('a data folder that is a file: it is named, with what to give instead', async () => {
  const file = join(folder, 'local.json');
  expect(await beam(['cloud', '--data', file])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`${file} can't be the data folder`),
  });
});

test('a chain binary that is none, and one that is not there', async () => {
  const up = (chain: string) => beam(['up', '--data', join(folder, 'chain'), '--chain', chain, '--once']);
  expect(await up('/nowhere/gaiad')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('/nowhere/gaiad'),
  });
  expect(await up('no-such-gaiad')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('on the PATH'),
  });
  expect(await up('/bin/false')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('/bin/false init'),
  });
});

test('each command has its help, with examples or options, and comes at once', async () => {
  const { code, stdout } = await beam(['--help']);
  expect(code).toBe(0);
  const took: number[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    const startedMs = performance.now();
    await beam(['--help']);
    took.push(performance.now() - startedMs);
  }
  // 0.2 s on a quiet machine; the best of three, and room for one that is busy with something else.
  expect(Math.min(...took)).toBeLessThan(1_500);
  const names = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name);
  expect(names).toEqual(
    expect.arrayContaining(['up', 'drill', 'cloud', 'fleet', 'shadow', 'failover', 'signer']),
  );
  const helps = names.filter((one) => one !== 'help').map((name) => beam([name, '--help']));
  for (const help of await Promise.all(helps)) {
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: beam') });
  }
  expect(await beam(['bean'])).toMatchObject({ code: 2, stderr: expect.stringContaining('unknown command') });
  expect(await beam(['drill', '--local', '--fault', 'flood'])).toMatchObject({ code: 2 });
});
