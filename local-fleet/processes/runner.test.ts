import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { isRunning, type ProcessIdentity } from './process-identity.ts';
import { Runner, type RunnerEvent } from './runner.ts';

let folder: string;
let runner: Runner;
let events: RunnerEvent[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'beam-runner-'));
  events = [];
  runner = new Runner(join(folder, 'processes.json'), (event) => events.push(event));
});
afterEach(async () => {
  await runner.stopAll();
  rmSync(folder, { recursive: true, force: true });
});

function sleeper(name: string) {
  return {
    name,
    command: [process.execPath, '-e', 'console.log("up"); setInterval(() => {}, 1000)'],
    cwd: folder,
    logFile: join(folder, `${name}.log`),
  };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    if (tries > 400) throw new Error(`not in time; events so far: ${JSON.stringify(events)}`);
    await delay(25);
  }
}

function running(name: string): ProcessIdentity {
  const identity = runner.identity(name);
  if (!identity) throw new Error(`${name} does not run`);
  return identity;
}

test('what dies is started again, its output kept', async () => {
  runner.start(sleeper('pilot'));
  await until(() => readFileSync(join(folder, 'pilot.log'), 'utf8').includes('up'));
  const first = running('pilot');
  await runner.kill('pilot');
  await until(() => runner.identity('pilot') !== undefined && runner.identity('pilot')?.pid !== first.pid);
  expect(events.map(({ type }) => type)).toEqual(['started', 'ended', 'started']);
  expect(events[1]).toMatchObject({ name: 'pilot', how: 'SIGKILL', restartInMs: 0 });
});

test('a held one stays dead until it is released', async () => {
  runner.start(sleeper('signer'));
  runner.hold('signer');
  await runner.kill('signer');
  await delay(100);
  expect(runner.identity('signer')).toBeUndefined();
  runner.release('signer');
  expect(isRunning(running('signer'))).toBe(true);
});

test('a command that is not there is told, and tried again later', async () => {
  runner.start({ ...sleeper('gone'), command: [join(folder, 'nothing-here')] });
  await until(() => events.length >= 2);
  expect(events[0]).toMatchObject({ type: 'failed', name: 'gone', restartInMs: 0 });
  expect(events[1]).toMatchObject({ type: 'failed', restartInMs: 500 });
});

test('stopAll ends the groups in their order, and nothing comes back', async () => {
  for (const name of ['cloud', 'pilot', 'signer']) runner.start(sleeper(name));
  const all = runner.names().map(running);
  await runner.stopAll([['pilot'], ['signer']]);
  expect(all.some(isRunning)).toBe(false);
  const ended = events.flatMap((event) => (event.type === 'ended' ? [event.name] : []));
  expect(ended).toEqual(['pilot', 'signer', 'cloud']);
});

test('a runner ends what a killed one left, and nothing else', async () => {
  runner.start(sleeper('orphan'));
  const orphan = running('orphan');
  runner.hold('orphan');
  const next = new Runner(join(folder, 'processes.json'), () => {});
  expect(await next.endLeftovers()).toEqual(['orphan']);
  expect(isRunning(orphan)).toBe(false);

  const self = { pid: process.pid, startTime: 'another process that had this pid' };
  writeFileSync(join(folder, 'processes.json'), JSON.stringify([{ name: 'pilot', identity: self }]));
  expect(await next.endLeftovers()).toEqual([]);
});
