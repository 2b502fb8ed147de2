import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { firstThreadInRealTime, inRealTime, mayRunInRealTime } from './real-time.ts';

/** Field 41 of proc_pid_stat(5). */
const policies = { usual: 0, realTime: 2 };
function policyOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38]);
}

/** A process with threads of its own and a child: [its first thread's policy, all threads' policies, its child's]. */
async function policiesOf(wrap: (command: readonly string[]) => string[]) {
  const script =
    "const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);" +
    "require('node:fs').readFile('/proc/self/stat', () => console.log(child.pid)); setInterval(() => {}, 1000)";
  const [file = '', ...args] = wrap([process.execPath, '-e', script]);
  const parent = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const childPid = Number(String(line));
  const threads = readdirSync(`/proc/${parent.pid}/task`).map((thread) =>
    policyOf(readFileSync(`/proc/${parent.pid}/task/${thread}/stat`, 'utf8')),
  );
  const [first] = threads;
  const child = policyOf(readFileSync(`/proc/${childPid}/stat`, 'utf8'));
  process.kill(childPid, 'SIGKILL');
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  return { first, threads: new Set(threads), child };
}

const { usual, realTime } = policies;
const where = mayRunInRealTime() ? 'where this user may' : 'where this user may not, as all';

test(`${where}: a command runs in real time with all of its threads and children`, async () => {
  const expected = mayRunInRealTime() ? realTime : usual;
  expect(await policiesOf(inRealTime)).toEqual({
    first: expected,
    threads: new Set([expected]),
    child: expected,
  });
});

test(`${where}: a command's first thread runs in real time, what it starts does not`, async () => {
  const seen = await policiesOf(firstThreadInRealTime);
  expect(seen.first).toBe(mayRunInRealTime() ? realTime : usual);
  expect(seen.child).toBe(usual);
});
