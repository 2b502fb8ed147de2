import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { GaiadUnit } from './gaiad-unit.ts';
import { NodeLog } from './node-log.ts';

const fakeSystemctl = join(dirname(fileURLToPath(import.meta.url)), 'fake-systemctl.sh');
const lives = 'setInterval(() => {}, 1000)';
let root: string;
const pids: number[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'beam-unit-'));
  mkdirSync(join(root, 'logs'));
});
afterEach(() => {
  for (const pid of pids.splice(0)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  rmSync(root, { recursive: true, force: true });
});

const home = () => join(root, 'home');
const nodeCommand = () => [process.execPath, '-e', lives, '--', 'start', '--home', home()];
const unitState = (name: string) => readFileSync(join(root, 'unit', name), 'utf8').trim();

function gaiad() {
  mkdirSync(join(root, 'unit'), { recursive: true });
  writeFileSync(join(root, 'unit/command'), nodeCommand().join('\n'));
  writeFileSync(join(root, 'unit/log'), join(root, 'logs/gaiad.log'));
  return new GaiadUnit({
    unit: 'gaiad.service',
    home: home(),
    recordFile: join(root, 'run/gaiad.json'),
    log: new NodeLog(join(root, 'logs/gaiad.log')),
    signerSocket: join(root, 'signer.sock'),
    systemctl: ['bash', fakeSystemctl, join(root, 'unit')],
  });
}

async function ended(unit: GaiadUnit): Promise<string> {
  for (;;) {
    const { alive, how } = await unit.look();
    if (!alive) return how;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('with a stand-in for systemctl: the unit is started once, found by the next pilot, and ended by systemd', async () => {
  writeFileSync(join(root, 'signer.sock'), '');
  const first = gaiad();
  expect(await first.find('a')).toBeUndefined();
  const { pid, overlay } = await first.start('a');
  pids.push(pid);
  expect({ pid, overlay }).toEqual({ pid: Number(unitState('pid')), overlay: 'a' });
  expect(existsSync(join(root, 'signer.sock'))).toBe(false);
  expect(await first.look()).toMatchObject({ alive: true, frozen: false });

  // Another pilot: the same process with what it was started with; its start is no second one.
  const second = gaiad();
  expect(await second.find('b')).toMatchObject({ pid, overlay: 'a' });
  expect(await gaiad().start('c')).toMatchObject({ pid, overlay: 'c' });
  expect(unitState('starts')).toBe('1');

  process.kill(pid, 'SIGSTOP');
  while (!(await second.look()).frozen) await new Promise((resolve) => setTimeout(resolve, 10));
  await second.signal('SIGKILL');
  expect(await ended(second)).toBe('killed by signal 9');
  expect(second.record).toBeUndefined();
});

test('with a stand-in for systemctl: a node outside the unit, and a unit that is not there, are refused by name', async () => {
  const unit = gaiad();
  const [file = '', ...args] = nodeCommand();
  const stray = spawn(file, args, { stdio: 'ignore' });
  pids.push(stray.pid ?? 0);
  await expect(unit.start('a')).rejects.toThrow(
    `process ${stray.pid} runs a node on ${home()} outside gaiad.service`,
  );
  writeFileSync(join(root, 'unit/load'), 'not-found');
  expect(await unit.find('a')).toBeUndefined();
  await expect(unit.start('a')).rejects.toThrow(/gaiad\.service: not-found.*gaiad\.unit/);
});
