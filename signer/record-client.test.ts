import { expect, test } from '@jest/globals';
import type { Wakeable } from './core/within.ts';
import { lateReadMsMax, lateReadsMax, RecordClient } from './record-client.ts';
import { SteppedClock } from './rehearsal/seeded.ts';

/** Each read ends when it is told to, or when it is broken off. */
function slowTable() {
  const reads: { signal: Wakeable; end: () => void }[] = [];
  const clock = new SteppedClock();
  const client = new RecordClient(
    {
      getItem: (_key, signal) =>
        new Promise((resolve, reject) => {
          reads.push({ signal, end: () => resolve({}) });
          signal.addEventListener('abort', () => reject(new Error('given up')));
        }),
      updateItem: (_input, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(new Error('given up'))),
        ),
    },
    'beam-sign',
    (ms, signal) => clock.sleep(ms, signal),
  );
  return { client, clock, reads };
}

test('a read in a slow table that is given up goes on for a while, so that its connection is kept', async () => {
  const { client, clock, reads } = slowTable();
  const first = client.read('k', 600);
  await clock.run(700);
  expect(await first).toEqual({ kind: 'doubt', cause: 'no answer within 600 ms' });
  expect(reads[0]?.signal.aborted).toBe(false);
  await clock.run(lateReadMsMax);
  expect(reads[0]?.signal.aborted).toBe(true);
});

test('reads in a slow table that go on are few: the oldest makes room, one that has ended takes none', async () => {
  const { client, clock, reads } = slowTable();
  for (let count = 0; count < lateReadsMax; count++) void client.read('k', 100);
  await clock.run(150);
  reads[1]?.end();
  await clock.run(1);
  void client.read('k', 100);
  await clock.run(150);
  expect(reads.map(({ signal }) => signal.aborted)).toEqual([false, false, false, false, false]);
  void client.read('k', 100);
  await clock.run(150);
  expect(reads.map(({ signal }) => signal.aborted)).toEqual([true, false, false, false, false, false]);
});
