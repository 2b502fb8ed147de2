import { expect, test } from '@jest/globals';
import { enrol } from '../../protocol/sign-record.ts';
import { recordId, recordKey } from '../rehearsal/fleet.ts';
import { chainId } from '../rehearsal/requests.ts';
import type { ReadOutcome, RecordStore } from './ports.ts';
import { RecordView } from './record-view.ts';
import { enrolledState } from './state.ts';
import { StateKeeper } from './state-keeper.ts';

const floor = { height: 5, round: 0, step: 3 } as const;
const update = enrol(recordKey, recordId, floor);
const record = { key: recordKey, ...update.set };

/** A reading that is answered after a write that was asked for later and given up. */
async function overtaken(item: Record<string, unknown> | undefined) {
  const pin = { table: 'beam-sign', key: recordKey, recordId };
  const parts = { record: pin, publicKey: 'AA==', chainId, thing: 'demo_a', machine: '', floor };
  const keeper = new StateKeeper(
    { load: async () => ({ kind: 'none' }), save: async () => {} },
    enrolledState({ guard: 'record', ...parts }, 'done'),
    () => {},
  );
  let answer: (outcome: ReadOutcome) => void = () => {};
  const store: RecordStore = {
    read: () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
    update: async () => ({ kind: 'doubt', cause: 'no answer in time' }),
  };
  const clock = { now: () => 0, wall: () => 0, sleep: async () => {} };
  const view = new RecordView(store, keeper, clock, recordKey);
  const reading = view.read(600);
  await view.write(update, 1000);
  answer(item ? { kind: 'found', item } : { kind: 'absent' });
  return { reading: await reading, bar: keeper.state.bar?.code };
}

test.each([
  ['shows other bytes than were seen', { ...record, signBytes: 'b3RoZXI=' }, 'record-conflict'],
  ['shows a record that went back', { ...record, height: 4 }, 'record-went-back'],
])('invariant 4: a reading that %s bars, though a later write ended before it', async (_, item, bar) => {
  const told = await overtaken(item);
  expect(told.reading).toMatchObject({ kind: 'trouble', trouble: { code: bar } });
  expect(told.bar).toBe(bar);
});

test.each([
  ['good', record],
  ['without a record', undefined],
])('an overtaken reading that is %s tells nothing', async (_, item) => {
  const told = await overtaken(item);
  expect(told.reading.kind).toBe('doubt');
  expect(told.bar).toBeUndefined();
});
