/** Who signs when: claims, holds, beats. Safety is not at stake here (invariants.test.ts), missed blocks are. */

import { expect, test } from '@jest/globals';
import { type BeatItem, beatKey } from '../../protocol/sign-record.ts';
import { Fleet, type Machine, recordId, recordKey } from '../rehearsal/fleet.ts';
import type { Ask } from '../rehearsal/requests.ts';
import { quietNetwork } from '../rehearsal/table.ts';

const vote = (height: number, more: Partial<Ask> = {}): Ask => ({ height, step: 2, block: 'x', ...more });
const signed = expect.stringMatching(/^.{60,}$/);

const beat = (fleet: Fleet) => fleet.table.items.get(beatKey(recordKey, recordId)) as BeatItem;

async function pair(): Promise<{ fleet: Fleet; a: Machine; b: Machine }> {
  const fleet = new Fleet();
  const a = await fleet.active('a');
  const b = fleet.add('b');
  await fleet.start(b);
  await fleet.run(700);
  expect([fleet.state(a), fleet.state(b)]).toEqual(['active', 'standby']);
  return { fleet, a, b };
}

/** Lets the chain commit heights 2 s apart, as both pilots tell. */
async function commits(fleet: Fleet, count: number): Promise<void> {
  for (let block = 0; block < count; block++) {
    fleet.committed += 1;
    for (const { process } of fleet.machines.values()) {
      process?.watch.committed(fleet.committed, fleet.clock.now());
      process?.watch.asked(fleet.clock.now());
      process?.guard.committed(fleet.committed, 'pilot');
    }
    await fleet.run(2000);
  }
}

test('the active one beats each T/3 while its node asks, and a standby sees it alive', async () => {
  const { fleet, b } = await pair();
  const before = beat(fleet);
  expect(before).toMatchObject({ epoch: 1, yielded: 0 });
  await fleet.run(5000);
  expect(beat(fleet).beat - before.beat).toBeGreaterThanOrEqual(9);
  expect(b.process?.guard.status().beat).toMatchObject({ epoch: 1, lost: false, readsStill: 0 });
});

test('a beat that stands still is lost after three reads over T, not sooner', async () => {
  const { fleet, a, b } = await pair();
  await commits(fleet, 4);
  fleet.kill(a);
  const sinceMs = fleet.clock.now();
  const status = () => b.process?.guard.status().beat;
  while (!status()?.lost) await fleet.run(20);
  const lostMs = fleet.clock.now() - sinceMs;
  expect(status()?.readsStill).toBeGreaterThanOrEqual(3);
  // T is 1 s at blocks of 2 s; the last beat was up to T/3 before the kill.
  expect(lostMs).toBeGreaterThan(650);
  expect(lostMs).toBeLessThan(1500);
});

test('a standby whose reads fail never calls the beat lost', async () => {
  const { fleet, a, b } = await pair();
  b.network = { ...quietNetwork, lost: 1 };
  fleet.kill(a);
  await fleet.run(20_000);
  expect(b.process?.guard.status().beat?.lost).toBe(false);
});

test('a node that goes away makes the active one yield at once, and take it back when it returns', async () => {
  const { fleet, a, b } = await pair();
  a.process?.watch.connection(false);
  a.process?.guard.connectionChanged();
  await fleet.run(50);
  expect(beat(fleet).yielded).toBe(1);
  await fleet.run(600);
  expect(b.process?.guard.status().beat).toMatchObject({ yielded: true, lost: true });
  a.process?.watch.connection(true);
  a.process?.guard.connectionChanged();
  await fleet.run(50);
  expect(beat(fleet).yielded).toBe(0);
});

test('a node that asks nothing for 1.5 block times stops the beat', async () => {
  const { fleet, b } = await pair();
  await commits(fleet, 4);
  await fleet.run(5000);
  expect(b.process?.guard.status().beat?.lost).toBe(true);
});

test('a planned switch claims just after a commit, once the holder has signed it', async () => {
  const { fleet, a, b } = await pair();
  await commits(fleet, 4);
  const height = fleet.committed + 1;
  expect(await fleet.answer(a, vote(height))).toEqual(signed);
  fleet.grant('b');
  await fleet.run(700);
  // No commit since: the standby stands by and refuses at once.
  expect(fleet.state(b)).toBe('standby');
  const askedMs = fleet.clock.now();
  expect(await fleet.answer(b, vote(height))).toBe('standby');
  expect(fleet.clock.now() - askedMs).toBeLessThanOrEqual(20);
  // Its node commits before the holder's precommit is recorded: it waits for that one, and holds what is asked.
  b.process?.guard.committed(height, 'pilot');
  await fleet.run(100);
  expect(fleet.state(b)).toBe('claiming');
  const held = fleet.ask(b, vote(height + 1));
  expect(await fleet.answer(a, vote(height, { step: 3 }))).toEqual(signed);
  await fleet.run(200);
  expect(fleet.state(b)).toBe('active');
  expect(await held).toMatchObject({ bytes: signed });
  await fleet.run(600);
  expect(fleet.state(a)).toBe('fenced');
});

test('a grant is used without a commit after two block times, and after 10 s at most', async () => {
  const { fleet, b } = await pair();
  fleet.grant('b');
  await fleet.run(9500);
  expect(fleet.state(b)).toBe('standby');
  await fleet.run(1500);
  expect(fleet.state(b)).toBe('active');
});

test('a grant after the holder’s death is used at once, and a held proposal is signed', async () => {
  const { fleet, a, b } = await pair();
  fleet.kill(a);
  await fleet.run(1600);
  const proposal = fleet.ask(b, { height: 1, step: 1 });
  const refused = fleet.answer(b, vote(1));
  await fleet.run(100);
  expect(await refused).toBe('standby');
  fleet.grant('b');
  b.process?.guard.look();
  await fleet.run(200);
  expect(await proposal).toMatchObject({ bytes: signed });
});

test('a proposal is refused as soon as the record shows the holder at it', async () => {
  const { fleet, a, b } = await pair();
  const asking = fleet.answer(b, { height: 1, step: 1 });
  await fleet.run(40);
  expect(await fleet.answer(a, { height: 1, step: 1 })).toEqual(signed);
  const signedMs = fleet.clock.now();
  expect(await asking).toBe('standby');
  expect(fleet.clock.now() - signedMs).toBeLessThanOrEqual(100);
});

test('a proposal is held for no longer than the beat takes to rise once more', async () => {
  const { fleet, b } = await pair();
  const askedMs = fleet.clock.now();
  expect(await fleet.answer(b, { height: 1, step: 1 })).toBe('standby');
  // T/3 is 500 ms before the block time is known; one rise may be under way when it is asked.
  expect(fleet.clock.now() - askedMs).toBeLessThanOrEqual(1100);
});

test('a proposal that was asked for just after the holder died is held until the claim', async () => {
  const { fleet, a, b } = await pair();
  await commits(fleet, 4);
  fleet.kill(a);
  const proposal = fleet.ask(b, { height: fleet.committed + 1, step: 1 });
  const status = () => b.process?.guard.status().beat;
  for (let waitedMs = 0; !status()?.lost; waitedMs += 20) {
    expect(waitedMs).toBeLessThan(1500);
    await fleet.run(20);
  }
  fleet.grant('b');
  await fleet.run(200);
  expect(await proposal).toMatchObject({ bytes: signed });
});

test('a restarted holder takes over from its former process and signs what is held for it', async () => {
  const { fleet, a } = await pair();
  expect(await fleet.answer(a, vote(1))).toEqual(signed);
  fleet.kill(a);
  await fleet.start(a);
  const asking = fleet.ask(a, vote(1, { seconds: 5 }));
  await fleet.run(200);
  expect(await asking).toMatchObject({ bytes: fleet.released[0]?.bytes });
  expect(fleet.record).toMatchObject({ epoch: 1, holder: 'a' });
});

test('a claim whose answer is lost is found by the next read', async () => {
  const { fleet, a, b } = await pair();
  fleet.kill(a);
  await fleet.run(1600);
  b.network = { ...quietNetwork, unanswered: 0.7 };
  fleet.grant('b');
  await fleet.run(4000);
  expect(fleet.state(b)).toBe('active');
});

test('a grant that passes on is not claimed', async () => {
  const { fleet, b } = await pair();
  fleet.grant('b');
  await fleet.run(500);
  fleet.grant('a');
  await fleet.run(12_000);
  expect(fleet.state(b)).toBe('standby');
  expect(fleet.record).toMatchObject({ holder: 'a', epoch: 3 });
});

test('while the table is away requests are answered at once, not held one after the other', async () => {
  const { fleet, b } = await pair();
  fleet.kill(b);
  b.network = { ...quietNetwork, lost: 1 };
  await fleet.start(b);
  await fleet.run(1000);
  const askedMs = fleet.clock.now();
  expect(await fleet.answer(b, vote(1))).toBe('standby');
  expect(fleet.clock.now() - askedMs).toBeLessThanOrEqual(20);
});
