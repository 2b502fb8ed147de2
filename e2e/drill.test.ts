/** The rows of the table of faults that a drill makes, with real processes: by the command, and one after the other on one fleet. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ownBundles } from '../local-fleet/bundles.ts';
import type { DrillFleet } from '../local-fleet/drill/drill-fleet.ts';
import { judgeRound } from '../local-fleet/drill/judge.ts';
import { removeFleetFolders } from '../local-fleet/drill/keep-evidence.ts';
import { runRound, settleMsMax } from '../local-fleet/drill/round.ts';
import { drillFleet, openDrill } from '../local-fleet/drill/run-drill.ts';
import type { LocalFleet } from '../local-fleet/fleet.ts';
import { beam, processesIn } from './beam.ts';

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

test('`beam drill --local`: a whole host dies, the standby signs; the report is the last line, and all that was seen is kept', async () => {
  const out = join(root, 'host');
  const args = ['drill', '--local', '--fault', 'host', '--block-seconds', '1', '--json', '--out', out];
  const { code, stdout, stderr } = await beam(args);
  const last = stdout.trim().split('\n').at(-1) ?? '';
  if (code !== 0) throw new Error(`exit ${code}: ${last}\n${stderr}`);
  const report = JSON.parse(last);
  expect(Object.keys(report)).toEqual(keys);
  expect(report).toMatchObject({ fault: 'host', ok: true, conflicts: 0 });
  expect(report.epochAfter).toBe(report.epochBefore + 1);
  expect(readdirSync(out).sort()).toEqual(['commits.json', 'journals', 'logs', 'report.json', 'rounds.json']);
  expect(JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'))).toEqual(report);
});

describe('on one fleet, which each fault finds whole again', () => {
  // A switch and a pilot's death may miss nothing: blocks are as long as a slow machine needs.
  const blockSeconds = 1.5;
  const said: string[] = [];
  const { signal } = new AbortController();
  let data = '';
  let fleet: LocalFleet;
  let drill: DrillFleet | undefined;
  let failedAt: string | undefined;

  beforeAll(async () => {
    data = mkdtempSync(join(tmpdir(), 'beam-drill-'));
    const say = (line: string) => said.push(line);
    fleet = drillFleet(data, { bundles: ownBundles(), chain: 'stand-in', blockSeconds, say, signal });
    await fleet.start();
    drill = await openDrill(fleet, { say, signal });
  });
  afterAll(async () => {
    await drill?.close();
    await fleet.stop();
    await removeFleetFolders(fleet, data);
    expect(processesIn(data)).toEqual([]);
  });

  test.each(['none', 'pilot', 'signer', 'gaiad'] as const)(
    'fault %s',
    async (fault) => {
      if (!drill || failedAt) throw new Error(`not tried: ${failedAt ?? 'the fleet did not come up'}`);
      failedAt = `the fleet is as fault ${fault} left it`;
      const round = await runRound(drill, { fault, blockSeconds, random: Math.random, signal });
      const broken = judgeRound(round);
      if (broken.length > 0) throw new Error([...broken, ...said].join('\n'));
      expect(round.fault).toBe(fault);
      failedAt = undefined;
    },
    settleMsMax + 60_000,
  );
});
