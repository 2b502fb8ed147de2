/** `beam drill --local`: the rows of the table of faults that a drill makes, with real processes. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { beam } from './beam.ts';

const root = mkdtempSync(join(tmpdir(), 'beam-drill-out-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const keys = [
  'fault',
  'ok',
  'missedBlocks',
  'secondsWithoutSignature',
  'epochBefore',
  'epochAfter',
  'conflicts',
  'blockSeconds',
];

test.each(['none', 'pilot', 'gaiad', 'host', 'signer'])('fault %s', async (fault) => {
  const out = mkdtempSync(join(root, 'x'));
  // Where nothing may be missed, blocks are as long as a slow machine needs.
  const blockSeconds = fault === 'none' || fault === 'pilot' ? '2' : '1';
  const args = [
    'drill',
    '--local',
    '--fault',
    fault,
    '--block-seconds',
    blockSeconds,
    '--json',
    '--out',
    out,
  ];
  const { code, stdout, stderr } = await beam(args);
  const last = stdout.trim().split('\n').at(-1) ?? '';
  if (code !== 0) throw new Error(`exit ${code}: ${last}\n${stderr}`);
  const report = JSON.parse(last);
  expect(Object.keys(report)).toEqual(keys);
  expect(report).toMatchObject({ fault, ok: true, conflicts: 0 });
  if (fault === 'none' || fault === 'pilot') expect(report.missedBlocks).toBe(0);
  expect(readdirSync(out).sort()).toEqual(['commits.json', 'journals', 'logs', 'report.json', 'rounds.json']);
  expect(JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'))).toEqual(report);
});
