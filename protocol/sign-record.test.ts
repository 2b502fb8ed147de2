import { expect, test } from '@jest/globals';
import {
  applyUpdate,
  claim,
  enrol,
  grant,
  type Holding,
  raiseBeat,
  renewIncarnation,
  type SignEntry,
  sign,
} from './sign-record.ts';
import { toUpdateItem } from './sign-record-dynamodb.ts';

const key = 'chain-1/AA';
const holding: Holding = { recordId: 'record-0001', epoch: 3, holder: 'demo_a', incarnation: 'i-1' };
const held = {
  ...applyUpdate(undefined, enrol(key, holding.recordId, { height: 10, round: 1, step: 2 })),
  ...holding,
  grantEpoch: 3,
  grantTo: 'demo_a',
};
const entry = (change: Partial<SignEntry> = {}): SignEntry => ({
  height: 11,
  round: 0,
  step: 3,
  signBytes: 'AQ==',
  timestamp: '1.000000000',
  attempt: 't',
  voteFor: 'block-1',
  ...change,
});

test('the holder writes a later position, and nobody else does', () => {
  expect(applyUpdate(held, sign(key, holding, entry()))).toMatchObject({
    height: 11,
    lockHeight: 11,
    lockEpoch: 3,
  });
  for (const other of [
    { recordId: 'record-0002' },
    { epoch: 2 },
    { epoch: 4 },
    { holder: 'demo_b' },
    { incarnation: 'i-2' },
  ]) {
    expect([other, applyUpdate(held, sign(key, { ...holding, ...other }, entry()))]).toEqual([
      other,
      undefined,
    ]);
    expect(applyUpdate(held, renewIncarnation(key, { ...holding, ...other }, 'i-9'))).toBeUndefined();
  }
  expect(applyUpdate(held, renewIncarnation(key, holding, 'i-9'))).toMatchObject({ incarnation: 'i-9' });
  expect(applyUpdate(undefined, sign(key, holding, entry()))).toBeUndefined();
});

test.each([
  [{ height: 10, round: 1, step: 2 }, false],
  [{ height: 10, round: 1, step: 1 }, false],
  [{ height: 10, round: 0, step: 3 }, false],
  [{ height: 9, round: 7, step: 3 }, false],
  [{ height: 10, round: 1, step: 3 }, true],
  [{ height: 10, round: 2, step: 1 }, true],
  [{ height: 11, round: 0, step: 1 }, true],
] as const)('over 10/1/prevote, %j is written: %s', (position, written) => {
  const update = sign(key, holding, entry({ ...position, voteFor: position.step === 1 ? undefined : '' }));
  expect(applyUpdate(held, update) !== undefined).toBe(written);
});

test('a later epoch at the lock’s height votes for the locked block or nil; the epoch that locked may go on', () => {
  const locked = {
    ...held,
    height: 11,
    round: 0,
    step: 3,
    lockHeight: 11,
    lockBlock: 'block-1',
    lockEpoch: 2,
  };
  const vote = (voteFor: string | undefined, height = 11) =>
    applyUpdate(locked, sign(key, holding, entry({ height, round: 1, step: 2, voteFor }))) !== undefined;
  expect([vote('block-1'), vote(''), vote('block-2'), vote('block-2', 12)]).toEqual([
    true,
    true,
    false,
    true,
  ]);
  const ours = { ...locked, lockEpoch: 3 };
  expect(
    applyUpdate(ours, sign(key, holding, entry({ round: 1, step: 2, voteFor: 'block-2' }))),
  ).toBeDefined();
});

test('enrolment happens once; of two grants one; a claim needs its own unclaimed grant', () => {
  expect(applyUpdate(held, enrol(key, 'record-0002', { height: 0, round: 0, step: 0 }))).toBeUndefined();
  const seen = { recordId: holding.recordId, grantEpoch: 3 };
  const granted = applyUpdate(held, grant(key, seen, 'demo_b'));
  expect(granted).toMatchObject({ grantEpoch: 4, grantTo: 'demo_b', epoch: 3, holder: 'demo_a' });
  expect(applyUpdate(granted, grant(key, seen, 'demo_c'))).toBeUndefined();
  expect(applyUpdate(held, grant(key, { ...seen, recordId: 'record-0002' }, 'demo_b'))).toBeUndefined();
  const right: Holding = { ...holding, epoch: 4, holder: 'demo_b', incarnation: 'i-2' };
  const claimed = applyUpdate(granted, claim(key, right));
  expect(claimed).toMatchObject({ epoch: 4, holder: 'demo_b', height: 10 });
  expect(applyUpdate(claimed, claim(key, { ...right, incarnation: 'i-3' }))).toBeUndefined();
  expect(applyUpdate(claimed, sign(key, holding, entry()))).toBeUndefined();
  for (const other of [{ epoch: 5 }, { epoch: 3 }, { holder: 'demo_c' }, { recordId: 'record-0002' }]) {
    expect(applyUpdate(granted, claim(key, { ...right, ...other }))).toBeUndefined();
  }
});

test('a beat never goes back to an older epoch', () => {
  const beat = applyUpdate(undefined, raiseBeat(key, holding, 1, false));
  expect(applyUpdate(beat, raiseBeat(key, holding, 2, false))).toMatchObject({ beat: 2 });
  expect(applyUpdate(beat, raiseBeat(key, { ...holding, epoch: 2 }, 9, false))).toBeUndefined();
});

test('an UpdateItem says the same: every name and value by placeholder', () => {
  const { ConditionExpression, UpdateExpression, Key } = toUpdateItem(
    'beam-sign',
    grant(key, { recordId: 'r', grantEpoch: 3 }, 'demo_b'),
  );
  expect(Key).toEqual({ key: { S: key } });
  expect(UpdateExpression).toBe('SET #grantEpoch = :v0, #grantTo = :v1');
  expect(ConditionExpression).toBe('#recordId = :v2 AND #grantEpoch = :v3');
});
