import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { JournalEntry } from '../../protocol/signer-control.ts';
import { findConflicts, readJournal, releasedBeyond } from './journals.ts';
import { faults, judgeRound, type Round, reportOf } from './judge.ts';

const root = mkdtempSync(join(tmpdir(), 'beam-journal-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A round in which all went well; a planned switch. */
const good: Round = {
  fault: 'none',
  blockSeconds: 2,
  missedHeights: [],
  secondsWithoutSignature: 1.9,
  gapSeconds: 2.6,
  epochBefore: 1,
  epochAfter: 2,
  holderBefore: 'demo_a',
  holderAfter: 'demo_b',
  activeAtEnd: ['demo_b'],
  conflicts: 0,
  evidence: 0,
  restartedBesidePilot: [],
  releasedAfterWake: 0,
  notRecovered: [],
};
const pilot: Round = {
  ...good,
  fault: 'pilot',
  epochAfter: 1,
  holderAfter: 'demo_a',
  activeAtEnd: ['demo_a'],
};

test('good rounds are good', () => {
  expect(judgeRound(good)).toEqual([]);
  expect(judgeRound(pilot)).toEqual([]);
  expect(judgeRound({ ...good, fault: 'host', missedHeights: [7, 8], secondsWithoutSignature: 6.9 })).toEqual(
    [],
  );
  expect(judgeRound({ ...pilot, fault: 'signer', missedHeights: [7] })).toEqual([]);
});

test.each<[string, Round, RegExp]>([
  ['a planned switch that misses', { ...good, missedHeights: [7] }, /missed 1 block \(7\)/],
  ['a killed pilot that costs a block', { ...pilot, missedHeights: [7] }, /missed 1 block/],
  [
    'two blocks lost at slow blocks',
    { ...good, fault: 'gaiad', blockSeconds: 5.9, missedHeights: [7, 8] },
    /missed 2 blocks \(7, 8\); at slow blocks/,
  ],
  ['a takeover that is late', { ...good, fault: 'host', secondsWithoutSignature: 7.01 }, /7.01 s without/],
  ['no signature at all', { ...good, fault: 'freeze', secondsWithoutSignature: undefined }, /no signature/],
  ['no switch', { ...good, epochAfter: 1, holderAfter: 'demo_a', activeAtEnd: ['demo_a'] }, /rose by 0/],
  ['a switch to and fro', { ...good, fault: 'gaiad', epochAfter: 3 }, /rose by 2.*0 or 1 was due/],
  ['a pilot whose death moves the role', { ...pilot, epochAfter: 2, holderAfter: 'demo_b' }, /rose by 1/],
  ['two active ones', { ...good, activeAtEnd: ['demo_a', 'demo_b'] }, /demo_a and demo_b is active/],
  ['nobody active', { ...good, activeAtEnd: [] }, /nobody is active/],
  ['a double sign', { ...good, conflicts: 1 }, /signed twice/],
  ['evidence', { ...good, evidence: 1 }, /evidence/],
  ['gaiad restarted by the pilot', { ...pilot, restartedBesidePilot: ['gaiad'] }, /gaiad did not run on/],
  ['a woken signer that signs', { ...good, fault: 'freeze', releasedAfterWake: 2 }, /woken signer/],
  ['what did not recover', { ...good, notRecovered: ['a is fenced'] }, /a is fenced/],
])('%s is told', (_name, round, told) => {
  expect(judgeRound(round).join('\n')).toMatch(told);
});

test('a report holds the worst figures, and is ok only with every round done and good', () => {
  const second: Round = { ...good, epochBefore: 2, epochAfter: 3, secondsWithoutSignature: 2.25 };
  expect(reportOf('none', [good, second], 2)).toEqual({
    fault: 'none',
    ok: true,
    missedBlocks: 0,
    secondsWithoutSignature: 2.25,
    epochBefore: 1,
    epochAfter: 3,
    conflicts: 0,
    blockSeconds: 2,
  });
  expect(reportOf('none', [good], 2).ok).toBe(false);
  const bad = reportOf(
    'none',
    [good, { ...second, missedHeights: [7], secondsWithoutSignature: undefined }],
    2,
  );
  expect(bad).toMatchObject({ ok: false, missedBlocks: 1, secondsWithoutSignature: null });
  expect(faults).toHaveLength(6);
});

function entry(height: number, type: JournalEntry['type'], blockId: string, epoch = 1): JournalEntry {
  const [at, chainId, thing] = ['2026-11-01T00:00:00Z', 'beam-1', 'demo_a'];
  return { at, chainId, height, round: 0, type, blockId, timestamp: '', signBytesHash: '', epoch, thing };
}

test('a conflict is two block ids at one position, nil too, in one journal or across two', () => {
  const a = [entry(5, 'prevote', 'X'), entry(5, 'precommit', 'X'), entry(6, 'prevote', 'Y')];
  expect(findConflicts([a, a])).toEqual([]);
  expect(findConflicts([a, [entry(5, 'precommit', '')]])).toEqual([
    { height: 5, round: 0, type: 'precommit', blockIds: ['X', ''] },
  ]);
  expect(findConflicts([[...a, entry(6, 'prevote', 'Z')]])).toHaveLength(1);
});

test('a woken signer may release what was recorded, nothing beyond it, and what a new epoch allows', () => {
  const recorded = { height: 9, round: 0, step: 2 } as const;
  const since = [entry(9, 'prevote', 'X'), entry(9, 'precommit', 'X'), entry(20, 'prevote', 'Y', 3)];
  expect(releasedBeyond(since, recorded, 1)).toEqual([entry(9, 'precommit', 'X')]);
});

test('a journal is read oldest first; a torn line is left out; what is no entry is an error', async () => {
  const folder = mkdtempSync(join(root, 'x'));
  const line = (height: number) => `${JSON.stringify(entry(height, 'prevote', 'X'))}\n`;
  expect(await readJournal(join(folder, 'nowhere'))).toEqual([]);
  expect(await readJournal(folder)).toEqual([]);
  writeFileSync(join(folder, 'journal.jsonl'), `${line(7)}{"height":\n${line(8)}{"hei`);
  writeFileSync(join(folder, 'journal.1.jsonl'), line(6));
  writeFileSync(join(folder, 'journal.10.jsonl'), line(5));
  writeFileSync(join(folder, 'state.json'), '{}');
  const heights = async () => (await readJournal(folder)).map(({ height }) => height);
  expect(await heights()).toEqual([5, 6, 7, 8]);
  // The last one may be in the state alone.
  for (const height of [8, 9]) {
    const lastEntry = entry(height, 'prevote', 'X');
    writeFileSync(join(folder, 'state.json'), `{}\n${JSON.stringify({ lastEntry })}\n{"torn`);
    expect(await heights()).toEqual(height === 8 ? [5, 6, 7, 8] : [5, 6, 7, 8, 9]);
  }
  writeFileSync(join(folder, 'journal.2.jsonl'), '{"height":1}\n');
  await expect(readJournal(folder)).rejects.toThrow();
});
