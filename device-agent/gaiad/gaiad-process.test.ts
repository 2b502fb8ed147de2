import { createHash, generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { findConsensusKey } from './consensus-keys.ts';
import { GaiadProcess } from './gaiad-process.ts';
import { NodeLog, nodeLogBytesMax } from './node-log.ts';

let root: string;
const started: number[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'beam-gaiad-'));
});
afterEach(() => {
  for (const pid of started.splice(0)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  rmSync(root, { recursive: true, force: true });
});

/** A node that lives until it is told to end, and says so. */
const lives = "console.log('up'); process.on('SIGTERM', () => process.exit(3)); setInterval(() => {}, 1000)";

function gaiad(script = lives, over: { signerSocket?: string; command?: string[] } = {}) {
  return new GaiadProcess({
    command: over.command ?? [process.execPath, '-e', script, '--'],
    startArguments: ['--extra'],
    home: join(root, 'home'),
    recordFile: join(root, 'run/gaiad.json'),
    log: new NodeLog(join(root, 'logs/gaiad.log')),
    signerSocket: over.signerSocket,
    onExit: () => {},
  });
}

async function start(process: GaiadProcess, overlay = 'hash'): Promise<number> {
  const { pid } = await process.start(overlay);
  started.push(pid);
  return pid;
}

async function isUp(): Promise<void> {
  while (readFileSync(join(root, 'logs/gaiad.log'), 'utf8') !== 'up\n') {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function ends(process: GaiadProcess): Promise<string> {
  for (;;) {
    const { alive, how } = await process.look();
    if (!alive) return how;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('another pilot finds the same process by pid, start time and command line; a stale record finds none', async () => {
  const first = gaiad();
  const pid = await start(first);
  const found = await gaiad().find('other');
  expect(found).toMatchObject({ pid, overlay: 'hash' });
  expect(found).toEqual(JSON.parse(readFileSync(join(root, 'run/gaiad.json'), 'utf8')));
  first.signal('SIGKILL');
  expect(await ends(first)).toBe('killed by SIGKILL');
  expect(existsSync(join(root, 'run/gaiad.json'))).toBe(false);
  // The number of another, living process.
  writeFileSync(
    join(root, 'run/gaiad.json'),
    JSON.stringify({ pid: process.pid, startTime: '1', startedAt: '', overlay: '' }),
  );
  expect(await gaiad().find('x')).toBeUndefined();
});

test('a process that a pilot could not write down any more is found by its command line', async () => {
  const first = gaiad();
  const pid = await start(first);
  rmSync(join(root, 'run/gaiad.json'));
  expect(await gaiad().find('on-disk')).toMatchObject({ pid, overlay: 'on-disk' });
});

test('it outlives the pilot in a session of its own, and writes to its log', async () => {
  const running = gaiad();
  const pid = await start(running);
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Fields 5 and 6 of proc(5): process group and session.
  expect([Number(fields[2]), Number(fields[3])]).toEqual([pid, pid]);
  await isUp();
  running.signal('SIGTERM');
  await ends(running);
  expect(readFileSync(join(root, 'logs/gaiad.log'), 'utf8')).toBe('up\n');
});

test('how it ended is told, and frozen is seen', async () => {
  const running = gaiad();
  const pid = await start(running);
  await isUp();
  process.kill(pid, 'SIGSTOP');
  while (!(await running.look()).frozen) await new Promise((resolve) => setTimeout(resolve, 5));
  process.kill(pid, 'SIGCONT');
  running.signal('SIGTERM');
  expect(await ends(running)).toBe('exit code 3');
});

test("a signer's socket file that was left over is removed before a start", async () => {
  const signerSocket = join(root, 'run/signer.sock');
  mkdirSync(join(root, 'run'));
  writeFileSync(signerSocket, '');
  await start(gaiad(lives, { signerSocket }));
  expect(existsSync(signerSocket)).toBe(false);
});

test('a command that is not there is an error that names it', async () => {
  await expect(gaiad('', { command: ['/no/such/gaiad'] }).start('x')).rejects.toThrow(
    /\/no\/such\/gaiad ENOENT/,
  );
});

test('the log is bounded, while the process goes on writing to it too', async () => {
  const log = new NodeLog(join(root, 'logs/gaiad.log'));
  log.release(log.open());
  writeFileSync(log.file, Buffer.alloc(nodeLogBytesMax + 1, 'x'));
  await log.bound(true);
  expect(statSync(log.file).size).toBe(0);
  expect(statSync(`${log.file}.1`).size).toBe(nodeLogBytesMax + 1);
  writeFileSync(log.file, 'line one\n\u001b[31mlast\u001b[0m words\nlast words\n');
  expect(await log.lastWords()).toBe('line one | last words');
  writeFileSync(log.file, 'Error: no genesis\nUsage:\n  start [flags]\n');
  expect(await log.lastWords()).toBe('Error: no genesis');
});

function keyFile(path: string): string {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  const seed = privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-32);
  const value = Buffer.concat([seed, raw]).toString('base64');
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, JSON.stringify({ priv_key: { type: 'tendermint/PrivKeyEd25519', value } }));
  return createHash('sha256').update(raw).digest('hex').slice(0, 40).toUpperCase();
}

test("the fleet's key is found anywhere in the home, by its address; a node's own random key is another one", async () => {
  const home = join(root, 'home');
  keyFile(join(home, 'config/priv_validator_key.json'));
  keyFile(join(home, 'config/node_key.json'));
  mkdirSync(join(home, 'data/blockstore.db'), { recursive: true });
  const hidden = join(home, 'backup/old/key.bak');
  const address = keyFile(hidden);
  expect(await findConsensusKey(home, [], address)).toBe(hidden);
  rmSync(hidden);
  expect(await findConsensusKey(home, [], address)).toBeUndefined();
  const elsewhere = join(root, 'elsewhere.json');
  expect(await findConsensusKey(home, [elsewhere], keyFile(elsewhere))).toBe(elsewhere);
});
