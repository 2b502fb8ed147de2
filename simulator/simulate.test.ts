import { spawnSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { drawSchedule, type Schedule } from './schedule.ts';
import { shrink } from './shrink.ts';

const program = resolve(dirname(fileURLToPath(import.meta.url)), '../build/simulate.js');

function simulate(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
  return { status, lines: stdout.trimEnd().split('\n'), stderr };
}

interface Result {
  seed: number;
  signs: number;
  conflicts: number;
  seconds: number;
}
const resultOf = (lines: string[]): Result => JSON.parse(lines.at(-1) ?? '');

test('fleets under every fault sign nothing twice and recover: a seed of ours, the same on one thread and two', () => {
  const [one, two] = ['1', '2'].map((workers) =>
    simulate('--seed', '20261127', '--signs', '5000', '--workers', workers, '--json'),
  );
  const { seconds: _, ...first } = resultOf(one?.lines ?? []);
  const { seconds: __, ...second } = resultOf(two?.lines ?? []);
  expect(first).toEqual(second);
  expect(one?.status).toBe(0);
  expect(first.conflicts).toBe(0);
  expect(first.signs).toBeGreaterThanOrEqual(5000);
}, 240_000);

test('a fresh seed: nothing is signed twice', () => {
  const { lines } = simulate('--signs', '10000', '--json');
  // What is said names the seed, by which it is found again.
  if (resultOf(lines).conflicts > 0) throw new Error(lines.join('\n'));
  expect(resultOf(lines).signs).toBeGreaterThan(0);
}, 240_000);

test('wrong arguments are told', () => {
  expect(simulate('--signs', 'many')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('--signs many'),
  });
  expect(simulate('--sign', '1')).toMatchObject({ status: 2, stderr: expect.stringContaining('--sign') });
});

test('a schedule is shrunk to what still goes wrong', async () => {
  const schedule = drawSchedule(5);
  const fault = (kind: 'clone' | 'edit', atMs: number): Schedule['faults'][number] => ({
    kind,
    atMs,
    forMs: 1,
    server: 0,
    choice: 0,
  });
  const faults = [...Array.from({ length: 9 }, (_, index) => fault('edit', index)), fault('clone', 20)];
  const small = await shrink({ ...schedule, faults }, async (tried) =>
    tried.faults.some(({ kind }) => kind === 'clone'),
  );
  expect(small.faults).toEqual([fault('clone', 20)]);
  expect(small.mix.network).toMatchObject({ lost: 0, twice: 0, late: 0 });
});
