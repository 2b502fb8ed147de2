/** The small pure parts. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { beatPeriodMs } from '../../protocol/signer-control.ts';
import { signerSummary } from '../../protocol/topics.ts';
import { parseResponse } from '../privval/messages.ts';
import { Refusal } from '../refusal.ts';
import { Fleet, recordId, recordKey } from '../rehearsal/fleet.ts';
import { journalled, request } from '../rehearsal/requests.ts';
import { quietNetwork } from '../rehearsal/table.ts';
import { isLost, watchBeat } from './beat-watch.ts';
import { blockMs, noBlocks, withHeight } from './block-clock.ts';
import { claimInMs } from './claim-timing.ts';
import { ClosedGuard } from './guard.ts';
import type { RecordStore } from './ports.ts';
import { RecordView } from './record-view.ts';
import { parseTimestamp, timestampText } from './request.ts';
import {
  enrolledState,
  pendingIncarnationsMax,
  type SignerState,
  withOwn,
  withPendingIncarnation,
  withSeen,
} from './state.ts';
import { StateKeeper } from './state-keeper.ts';

const state: SignerState = enrolledState(
  {
    guard: 'record',
    publicKey: 'A',
    chainId: 'c',
    thing: 't',
    machine: '',
    floor: { height: 0, round: 0, step: 3 },
  },
  'done',
);

test('a signer that refuses from its start is heard, however long its reason', () => {
  const lost = new Refusal('state-lost', `${'/deep'.repeat(100)}/state.json is gone`);
  const guard = new ClosedGuard(lost, {
    epoch: 0,
    height: 0,
    guard: 'none',
    released: { height: 0, round: 0, step: 3 },
  });
  expect(signerSummary.safeParse({ ...guard.status(), address: 'A' }).error).toBeUndefined();
});

test('marks on disk only rise, whatever is seen in whatever order', () => {
  const position = fc.record({
    height: fc.integer({ min: 0, max: 5 }),
    round: fc.integer({ min: 0, max: 2 }),
    step: fc.constantFrom(1 as const, 2 as const, 3 as const),
    signBytes: fc.constantFrom('AA', 'BB'),
    timestamp: fc.constant(''),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(4), position), { maxLength: 30 }), (events) => {
      let now = state;
      for (const [own, epoch, at] of events) {
        const next = own ? withOwn(now, at, journalled(1)) : withSeen(now, epoch, at);
        const order = (of: typeof at) => of.height * 100 + of.round * 10 + of.step;
        expect(order(next.seen as typeof at)).toBeGreaterThanOrEqual(order(now.seen as typeof at));
        expect(order(next.own as typeof at)).toBeGreaterThanOrEqual(order(now.own as typeof at));
        expect(order(next.seen as typeof at)).toBeGreaterThanOrEqual(order(next.own as typeof at));
        expect(next.epochSeen).toBeGreaterThanOrEqual(now.epochSeen);
        now = next;
      }
    }),
  );
});

test('pending incarnations are bounded, and the one that the record holds is kept beside them', () => {
  let now: SignerState = { ...state, incarnation: 'in the record' };
  for (let start = 0; start < 100; start++) now = withPendingIncarnation(now, `start ${start}`);
  expect(now.pendingIncarnations).toHaveLength(pendingIncarnationsMax);
  expect(now.pendingIncarnations.at(-1)).toBe('start 99');
  expect(now.incarnation).toBe('in the record');
});

test('timestamps come back as they were, before the Unix epoch too', () => {
  for (const text of ['1700000000.000000007', '-62135596800.000000000', '0.999999999']) {
    const timestamp = parseTimestamp(text);
    expect(timestamp && timestampText(timestamp)).toBe(text);
  }
  for (const text of ['', '1', '1.5', '1.0000000000', 'x.000000000'])
    expect(parseTimestamp(text)).toBeUndefined();
});

test('the block time is the median of heights that followed each other', () => {
  let clock = noBlocks;
  for (const [height, atMs] of [
    [5, 1000],
    [6, 3000],
    [7, 5000],
    [7, 5100],
    [8, 30_000],
    [9, 32_000],
    // A node that catches up, and a bad request's height.
    [10, 32_010],
    [4_000_000, 33_000],
    [11, 34_000],
    [12, 36_000],
  ] as const) {
    clock = withHeight(clock, height, atMs);
  }
  expect(clock.height).toBe(12);
  expect(blockMs(clock)).toBe(2000);
  expect(blockMs(noBlocks)).toBeUndefined();
});

test('T is between 1 s and 1.5 s', () => {
  expect([undefined, 0.5, 2, 2.4, 6].map(beatPeriodMs)).toEqual([1500, 1000, 1000, 1200, 1500]);
});

test('beats of other epochs count for nothing, and a rise starts the count anew', () => {
  const beat = (epoch: number, count: number, yielded: 0 | 1 = 0) => ({
    key: 'k',
    recordId: 'r',
    epoch,
    incarnation: 'i',
    beat: count,
    yielded,
  });
  let watch = watchBeat(undefined, 2, beat(1, 1), 0, 0);
  // The old epoch's beat rises all the while: the holder of this one is silent.
  for (let read = 1; read <= 3; read++)
    watch = watchBeat(watch, 2, beat(1, 1 + read), read * 400, read * 400);
  expect(isLost(watch, 1000)).toBe(true);
  watch = watchBeat(watch, 2, beat(2, 1), 1600, 1600);
  expect(isLost(watch, 1000)).toBe(false);
  // Three reads, but all of them asked within less than T.
  for (let read = 1; read <= 3; read++) watch = watchBeat(watch, 2, beat(2, 1), 1600 + read * 300, 5000);
  expect(isLost(watch, 1000)).toBe(false);
  watch = watchBeat(watch, 2, beat(2, 1, 1), 3000, 3000);
  expect(isLost(watch, 1000)).toBe(true);
});

test('when a grant is used', () => {
  const facts = {
    holder: 'alive' as const,
    blockMs: 2000,
    grantSeenMs: 0,
    commit: undefined,
    record: { height: 5, round: 0, step: 2 as const },
    nowMs: 1000,
  };
  expect(claimInMs({ ...facts, holder: 'lost' })).toBe(0);
  expect(claimInMs({ ...facts, holder: 'none' })).toBe(0);
  expect(claimInMs(facts)).toBe(3000);
  expect(claimInMs({ ...facts, nowMs: 4000 })).toBe(0);
  expect(claimInMs({ ...facts, blockMs: 60_000 })).toBe(9000);
  const commit = { height: 5, atMs: 1000 };
  expect(claimInMs({ ...facts, commit })).toBe(20);
  expect(claimInMs({ ...facts, commit, nowMs: 1500 })).toBe(0);
  expect(claimInMs({ ...facts, commit, record: { height: 5, round: 1, step: 3 } })).toBe(0);
  expect(claimInMs({ ...facts, commit, record: { height: 6, round: 0, step: 1 } })).toBe(0);
});

test('a reading that was asked before a write ended tells nothing', async () => {
  const fleet = new Fleet();
  fleet.enrolRecord();
  const item = { ...fleet.record };
  const answers: ((item: Record<string, unknown>) => void)[] = [];
  const store: RecordStore = {
    read: () => new Promise((resolve) => answers.push((found) => resolve({ kind: 'found', item: found }))),
    update: async (update) => ({ kind: 'done', item: { ...item, ...update.set } }),
  };
  const pinned: SignerState = { ...state, record: { table: 't-1', key: recordKey, recordId } };
  const file = { load: async () => ({ kind: 'none' }) as const, save: async () => {} };
  const view = new RecordView(store, new StateKeeper(file, pinned, () => {}), fleet.clock, recordKey);
  const early = view.read(1000);
  await view.write({ key: recordKey, set: { epoch: 1, holder: 't' }, when: { all: [] } }, 1000);
  answers[0]?.(item);
  expect(await early).toMatchObject({ kind: 'doubt' });
  expect(view.latest).toMatchObject({ epoch: 1, holder: 't' });
  const [slow, quick] = [view.read(1000), view.read(1000)];
  answers[2]?.({ ...item, epoch: 2 });
  expect(await quick).toMatchObject({ kind: 'record' });
  answers[1]?.({ ...item, epoch: 1 });
  expect(await slow).toMatchObject({ kind: 'doubt' });
  expect(view.latest?.epoch).toBe(2);
});

test('a refusal shows old and new position', () => {
  const refusal = new Refusal('position-below', 'past', {
    asked: { height: 5, round: 0, step: 2 },
    held: { height: 5, round: 1, step: 3 },
  });
  expect(refusal.message).toBe('past (asked 5/0/prevote, held 5/1/precommit)');
});

test('every request is answered within 2.5 s, whatever hangs', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  // Each answer of the table takes 0.9 s each way: slower than any time-out.
  a.network = { ...quietNetwork, latencyMsMax: 5000 };
  for (let height = 1; height <= 5; height++) {
    const askedMs = fleet.clock.now();
    await fleet.answer(a, { height: 1, round: height, step: 2 });
    expect(fleet.clock.now() - askedMs).toBeLessThanOrEqual(2500);
  }
  // Several at once: the last one waits its time, and no longer.
  const asks = [1, 2, 3].map((round) => fleet.ask(a, { height: 2, round, step: 2 }));
  await fleet.run(2500);
  const settled = await Promise.race([
    Promise.all(asks),
    new Promise((resolve) => setImmediate(resolve, 'late')),
  ]);
  expect(settled).not.toBe('late');
});

test('arbitrary bytes and malformed requests are refused', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  const service = a.process?.service;
  if (!service) throw new Error('no process');
  expect(parseResponse(await service.answer({ kind: 'signBytes' }))).toMatchObject({
    kind: 'error',
    to: 'signBytes',
  });
  expect(request({ height: 0, step: 2 })).toMatchObject({ kind: 'invalid' });
  expect(parseResponse(await service.answer(request({ height: 0, step: 2 })))).toMatchObject({
    kind: 'error',
    to: 'signVote',
    description: expect.stringContaining('invalid-request'),
  });
  expect(service.counts().refused).toBe(2);
});
