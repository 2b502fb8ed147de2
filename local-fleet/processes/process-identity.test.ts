import { spawn } from 'node:child_process';
import { expect, test } from '@jest/globals';
import {
  endProcess,
  identityOf,
  isRunning,
  parseProcStat,
  processesWithArgument,
  signalProcess,
} from './process-identity.ts';

test('the start time is read past a command name with spaces and brackets', () => {
  const numbers = Array.from({ length: 30 }, (_, index) => String(index + 4)).join(' ');
  // Field 3 is the state; field 4 is "4" in this text, so field 22 is "22".
  expect(parseProcStat(`17 (a) b (c)) S ${numbers}`)).toBe('22');
});

test('a zombie does not run', () => {
  expect(parseProcStat('17 (node) Z 1 2 3')).toBeUndefined();
});

test('a process is known by pid and start time, and ended even while stopped', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  const identity = identityOf(child.pid ?? 0);
  if (!identity) throw new Error('the child does not run');
  expect(isRunning(identity)).toBe(true);
  expect(signalProcess({ ...identity, startTime: `${identity.startTime}0` }, 'SIGKILL')).toBe(false);
  expect(signalProcess(identity, 'SIGSTOP')).toBe(true);
  await endProcess(identity, 5_000);
  expect(isRunning(identity)).toBe(false);
});

test('a process is found by an argument of its command line, whole', async () => {
  const argument = `/nowhere/${process.pid}/home`;
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', argument], { stdio: 'ignore' });
  const [found, ...more] = processesWithArgument(argument);
  expect(found?.pid).toBe(child.pid);
  expect(more).toEqual([]);
  expect(processesWithArgument(`/nowhere/${process.pid}`)).toEqual([]);
  if (found) await endProcess(found, 5_000);
});
