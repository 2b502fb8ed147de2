/** A sealed record is the last of its key: no update of any role brings it back, and nothing else looks like a seal. */

import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { thingName } from './names.ts';
import {
  applyUpdate,
  claim,
  enrol,
  grant,
  type ItemUpdate,
  isSealed,
  renewIncarnation,
  type SignRecord,
  seal,
  sealedEpoch,
  sealedHolder,
  sign,
  signRecord,
} from './sign-record.ts';

const key = 'chain-1/AA';
const recordId = 'record-0001';
const at = '2026-01-01T00:00:00.000Z';
const things = ['demo_a', 'demo_b', ''];
const incarnations = ['i-1', 'i-2', '', 'token-1'];
const enrolled = applyUpdate(undefined, enrol(key, recordId, { height: 10, round: 0, step: 3 })) ?? {};

const epoch = fc.oneof(
  fc.integer({ min: 0, max: 6 }),
  fc.integer({ min: sealedEpoch - 3, max: sealedEpoch }),
);
const holding = fc.record({
  recordId: fc.constantFrom(recordId, 'record-0002'),
  epoch,
  holder: fc.constantFrom(...things),
  incarnation: fc.constantFrom(...incarnations),
});
const position = fc.record({
  height: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(Number.MAX_SAFE_INTEGER)),
  round: fc.integer({ min: 0, max: 2 }),
  step: fc.constantFrom(1 as const, 2 as const, 3 as const),
});
/** All that signers and Commander may ever send, with whatever they might believe. */
const update: fc.Arbitrary<ItemUpdate> = fc.oneof(
  holding.map((mine) => claim(key, mine)),
  fc
    .tuple(holding, fc.constantFrom(...incarnations))
    .map(([mine, next]) => renewIncarnation(key, mine, next)),
  fc
    .tuple(holding, position)
    .map(([mine, at]) =>
      sign(key, mine, { ...at, signBytes: 'AQ==', timestamp: '1.0', attempt: 't', voteFor: 'x' }),
    ),
  fc
    .record({ recordId: fc.constant(recordId), grantEpoch: epoch, thing: fc.constantFrom(...things) })
    .map(({ thing, ...seen }) => grant(key, seen, thing)),
  position.map((floor) => enrol(key, 'record-0003', floor)),
);

test('after a seal no update by anybody changes more than the grant, and the grant is claimed by nobody', () => {
  fc.assert(
    fc.property(fc.array(update, { maxLength: 12 }), fc.array(update, { maxLength: 25 }), (before, after) => {
      let record = before.reduce((item, one) => applyUpdate(item, one) ?? item, enrolled) as SignRecord;
      const live = record;
      record = applyUpdate(record, seal(key, { recordId, token: 'token-1', at })) as SignRecord;
      expect(record).toEqual({
        ...live,
        epoch: sealedEpoch,
        holder: sealedHolder,
        incarnation: 'token-1',
        sealedAt: at,
      });
      for (const one of after) {
        const next = applyUpdate(record, one) as SignRecord | undefined;
        if (!next) continue;
        const { grantEpoch, grantTo, ...rest } = next;
        expect({ grantEpoch: record.grantEpoch, grantTo: record.grantTo, ...rest }).toEqual(record);
        record = next;
      }
      expect(applyUpdate(record, seal(key, { recordId, token: 'token-2', at }))).toBeUndefined();
    }),
    // Claims that meet their grant are rare; those that would be harmful are made below.
    { numRuns: 400 },
  );
});

test('every epoch that a record can grant is claimed before the seal, and none after it', () => {
  for (const granted of [1, 2, 1000, sealedEpoch - 1]) {
    const record = { ...enrolled, grantEpoch: granted, grantTo: 'demo_a' };
    const mine = { recordId, epoch: granted, holder: 'demo_a', incarnation: 'i-1' };
    expect(applyUpdate(record, claim(key, mine))).toMatchObject({ epoch: granted });
    const sealed = applyUpdate(record, seal(key, { recordId, token: 't', at }));
    expect(applyUpdate(sealed, claim(key, mine))).toBeUndefined();
  }
  // The last grant that can be read, and one beyond it.
  const sealed = applyUpdate(
    { ...enrolled, grantEpoch: sealedEpoch, grantTo: 'demo_a' },
    seal(key, { recordId, token: 't', at }),
  );
  const last = { recordId, epoch: sealedEpoch, holder: 'demo_a', incarnation: 'i-1' };
  expect(applyUpdate(sealed, claim(key, last))).toBeUndefined();
  const beyond = applyUpdate(sealed, grant(key, { recordId, grantEpoch: sealedEpoch }, 'demo_a'));
  expect(signRecord.safeParse(beyond).success).toBe(false);
  expect(() => claim(key, { ...last, epoch: sealedEpoch + 1 })).toThrow(RangeError);
});

test('a seal needs this very record; nothing but a seal looks sealed', () => {
  expect(applyUpdate(undefined, seal(key, { recordId, token: 't', at }))).toBeUndefined();
  expect(applyUpdate(enrolled, seal(key, { recordId: 'record-0002', token: 't', at }))).toBeUndefined();
  expect(isSealed(enrolled as SignRecord)).toBe(false);
  expect(isSealed({ epoch: sealedEpoch - 1, holder: thingName('demo', 'a') })).toBe(false);
  expect(isSealed({ epoch: sealedEpoch, holder: 'demo_a' })).toBe(true);
  expect(isSealed({ epoch: 3, holder: sealedHolder })).toBe(true);
});
