/** What a dry-run makes of the chain, and what it can't do. The whole of it with real processes: e2e/dry-run.test.ts. */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { beatKey, signRecordKey } from '../../protocol/sign-record.ts';
import { Comparison } from './comparison.ts';
import { boundsMs, emptyHistogram, percentileMs, withSample } from './histogram.ts';
import { parseEvent, proposalSeen } from './observed.ts';
import { dryRunRecordKey } from './record.ts';
import {
  type DryRunReport,
  type Judged,
  newReport,
  problemsOf,
  recentMax,
  withCommit,
  withJudged,
} from './report.ts';

const signer = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** All files that `file` brings in when it runs: imports of types alone bring in nothing. */
function loadedBy(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file) || !existsSync(file)) return found;
  found.add(file);
  for (const [statement, specifier = ''] of readFileSync(file, 'utf8').matchAll(
    /^(?:import|export)\b[^;]*?\bfrom '(\.{1,2}\/[^']+)';|import\('(\.{1,2}\/[^']+)'\)/gm,
  )) {
    const path = specifier || /import\('([^']+)'\)/.exec(statement)?.[1] || '';
    if (!/^(?:import|export) type\b/.test(statement)) loadedBy(resolve(dirname(file), path), found);
  }
  return found;
}

test("a dry-run has no way to a key or to the node's socket: none of their code is loaded by it", () => {
  const outside =
    /^(keys|secret-connection|import|export)\/|^(node-connection|node-line|signer-process|enrol|main)\.ts$/;
  const reached = (file: string) => [...loadedBy(join(signer, file))].map((path) => relative(signer, path));
  expect(reached('dry-run/dry-run.ts')).toContain('core/record-signer.ts');
  expect(reached('dry-run/dry-run.ts').filter((file) => outside.test(file))).toEqual([]);
  // The check can fail.
  expect(reached('signer-process.ts').filter((file) => outside.test(file))).toContain('node-connection.ts');
});

test('its record is at a key that no real record and no beat can have', () => {
  const real = /\/[0-9A-F]{40}(#.*)?$/;
  expect(signRecordKey('hub-4', 'A'.repeat(40))).toMatch(real);
  expect(beatKey(signRecordKey('hub-4', 'A'.repeat(40)), 'r')).toMatch(real);
  for (const thing of ['demo_a', `${'A'.repeat(40)}_b`.toLowerCase(), 'f_0123456789']) {
    expect(dryRunRecordKey('hub-4', thing)).not.toMatch(real);
  }
});

const ours = 'C'.repeat(40);
const blockId = `${'A'.repeat(64)}:1:${'B'.repeat(64)}`;
const at = '2026-01-01T00:00:00.000Z';
const precommit = (some: Partial<Judged> = {}): Judged => ({
  height: 7,
  round: 0,
  kind: 'precommit',
  blockId,
  refusal: undefined,
  ...some,
});
const commit = (flag: number, round = 0) => ({ height: 7, round, blockId, flags: new Map([[ours, flag]]) });
const refusal = { code: 'doubt', text: 'the record could not be written' };

test.each<[string, number, Judged[], string]>([
  ['signed, and would have been', 2, [precommit()], 'agreed'],
  ['signed nil, and would have been', 3, [precommit({ blockId: '' })], 'agreed'],
  ['signed, and would have been refused', 2, [precommit({ refusal })], 'refused'],
  ['signed for another block than was seen', 2, [precommit({ blockId: `X${blockId}` })], 'otherBlock'],
  ['signed nil where a block was seen', 3, [precommit()], 'otherBlock'],
  ['signed, and only a prevote was seen', 2, [precommit({ kind: 'prevote' })], 'unseen'],
  ['absent, and was signed', 1, [precommit()], 'late'],
  ['absent, and nothing was seen', 1, [precommit({ height: 6 })], 'missed'],
])('the chain has our precommit %s', (_, flag, judged, outcome) => {
  const comparison = new Comparison();
  comparison.round(7, 0);
  for (const one of judged) comparison.judged(one);
  expect(comparison.commit(commit(flag), ours)?.outcome).toBe(outcome);
  expect(comparison.missedInRow).toBe(flag === 1 ? 1 : 0);
});

test('a height that began before the dry-run listened, or in a gap, is not compared', () => {
  const comparison = new Comparison();
  expect(comparison.commit(commit(1), ours)).toBeUndefined();
  comparison.round(7, 1);
  expect(comparison.commit(commit(1, 1), ours)).toBeUndefined();
  comparison.round(7, 0);
  comparison.gap();
  expect(comparison.commit(commit(1), ours)).toBeUndefined();
});

test('a request for the role was needless where the present signer signed on', () => {
  const needless = (flags: number[]) => {
    const comparison = new Comparison();
    return flags.reduce((sum, flag, index) => {
      const height = 10 + index;
      comparison.round(height, 0);
      if (index === 1) comparison.asked(height);
      return sum + (comparison.commit({ ...commit(flag), height }, ours)?.needless ?? 0);
    }, 0);
  };
  expect(needless([2, 2, 2, 2, 2])).toBe(1);
  expect(needless([2, 2, 1, 1, 2])).toBe(0);
  expect(needless([1, 1, 1, 2, 2])).toBe(0);
});

function whole(): DryRunReport {
  const of = {
    thing: 'demo_a',
    chainId: 'hub-4',
    guard: 'record',
    recordKey: 'hub-4/dry-run/demo_a',
  } as const;
  let report: DryRunReport = { ...newReport(of, at), address: ours, blockSeconds: 6 };
  for (let height = 1; height <= 200; height++) {
    const judged = precommit({ height });
    report = withJudged(report, judged, 8, at);
    report = withCommit(report, { ...commit(2), height }, { outcome: 'agreed', judged }, at);
    report = { ...report, recordWriteMs: [...withSample(report.recordWriteMs, 6)] };
  }
  return report;
}

test('a report is clean, or says what stands against it', () => {
  const clean = whole();
  expect(problemsOf(clean)).toEqual([]);
  const slow = [900, 900, 900].reduce<readonly number[]>(withSample, clean.recordWriteMs);
  const cases: [Partial<DryRunReport>, RegExp][] = [
    [{ address: '' }, /no validator's key/],
    [{ commits: { ...clean.commits, compared: 19 } }, /only 19 commits/],
    [{ commits: { ...clean.commits, otherBlock: 1 } }, /another block/],
    [{ commits: { ...clean.commits, unseen: 11 } }, /not seen beforehand/],
    [{ wouldRefuse: { doubt: 2 } }, /would have refused .*2 × doubt/],
    [{ unjudged: 1 }, /faster than they could be judged/],
    [{ recordWriteMs: [...slow], blockSeconds: 1 }, /1000 ms .*333 ms/],
    [{ asks: { ...clean.asks, needless: 1 } }, /needless|signed on/],
  ];
  for (const [change, problem] of cases) {
    expect(problemsOf({ ...clean, ...change })).toEqual([expect.stringMatching(problem)]);
  }
});

test('what is kept is bounded, and the counts have all', () => {
  let report = whole();
  for (let round = 0; round < 3 * recentMax; round++)
    report = withJudged(report, precommit({ round, refusal }), 1, at);
  expect(report.recent).toHaveLength(recentMax);
  expect(report.wouldRefuse).toEqual({ doubt: 3 * recentMax });
  expect(report.recent.at(-1)).toMatchObject({ round: 3 * recentMax - 1, what: 'would-refuse' });
  const histogram = [1, 2, 4, 9_000].reduce<readonly number[]>(withSample, emptyHistogram);
  expect(histogram).toHaveLength(boundsMs.length);
  expect([
    percentileMs(histogram, 0.5),
    percentileMs(histogram, 0.99),
    percentileMs(emptyHistogram, 0.5),
  ]).toEqual([2, 2500, undefined]);
});

test("CometBFT's events become the requests that the node's signer had", () => {
  const event = (type: string, value: object) => ({
    jsonrpc: '2.0',
    id: 0,
    result: { query: '', data: { type: `tendermint/event/${type}`, value } },
  });
  const vote = {
    type: 2,
    height: '7',
    round: 1,
    block_id: { hash: 'A'.repeat(64), parts: { total: 1, hash: 'B'.repeat(64) } },
    timestamp: '2026-01-02T03:04:05.000000123Z',
    validator_address: ours,
    validator_index: 0,
    signature: '',
    extension: null,
    extension_signature: null,
  };
  const seen = parseEvent(event('Vote', { Vote: vote }));
  if (seen?.kind !== 'vote') throw new Error('no vote');
  expect(seen.request('hub-4')).toMatchObject({
    kind: 'precommit',
    position: { height: 7, round: 1, step: 3 },
    blockId,
    timestamp: '1767323045.000000123',
    validatorAddress: ours,
  });
  const complete = { height: '7', round: 0, step: 'RoundStepPropose', block_id: vote.block_id };
  const proposal = parseEvent(event('CompleteProposal', complete));
  if (proposal?.kind !== 'proposal') throw new Error('no proposal');
  expect(proposalSeen('hub-4', proposal, 1)).toMatchObject({
    kind: 'proposal',
    blockId,
    position: { step: 1 },
  });
  for (const wrong of [
    event('Vote', { Vote: { ...vote, type: 3 } }),
    event('Vote', { Vote: { ...vote, timestamp: 'yesterday' } }),
    event('Tx', {}),
    { jsonrpc: '2.0', id: 0, result: {} },
    'x',
  ]) {
    expect(parseEvent(wrong)).toBeUndefined();
  }
});
