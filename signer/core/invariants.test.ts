/** The invariants of docs/safety.md (9: foreign-watch.test.ts), each with the test that fails when its guard is taken away. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { claim, enrol, seal } from '../../protocol/sign-record.ts';
import { Fleet, recordId, recordKey } from '../rehearsal/fleet.ts';
import { type Ask, chainId, journalled, request, vote } from '../rehearsal/requests.ts';
import { quietNetwork } from '../rehearsal/table.ts';
import type { RecordStore } from './ports.ts';
import { reserve } from './record-sign.ts';
import { RecordView } from './record-view.ts';
import { voteRequest } from './request.ts';
import { enrolledState, type HeldPosition } from './state.ts';
import { StateKeeper } from './state-keeper.ts';

/** Longer than any refusal's code. */
const signed = expect.stringMatching(/^.{60,}$/);

test('invariant 1: at one position the same bytes come back, whatever the timestamp; other bytes never do', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  const first = await fleet.answer(a, vote(1, 'x', { seconds: 1000 }));
  expect(first).toEqual(signed);
  expect(await fleet.answer(a, vote(1, 'x', { seconds: 2000 }))).toBe(first);
  expect(await fleet.answer(a, vote(1, 'y', { seconds: 1000 }))).toBe('position-conflict');
  expect(await fleet.answer(a, vote(1, '', { seconds: 1000 }))).toBe('position-conflict');
  // A proposal must be the same to the last byte.
  const proposal: Ask = { height: 2, step: 1, block: 'x', seconds: 1000 };
  const proposed = await fleet.answer(a, proposal);
  expect(proposed).toEqual(signed);
  expect(await fleet.answer(a, proposal)).toBe(proposed);
  expect(await fleet.answer(a, { ...proposal, seconds: 2000 })).toBe('position-conflict');
  expect(await fleet.answer(a, vote(1, 'x', { step: 3 }))).toBe('position-below');
  expect(fleet.conflicts()).toEqual([]);
});

test('invariant 2: no signature before record and disk hold its bytes; a failed local write ends the process', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  for (const ask of [vote(1), vote(1), { ...vote(1), step: 3 as const }]) {
    expect(await fleet.answer(a, ask)).toEqual(signed);
  }
  expect(fleet.unguarded).toEqual([]);
  a.saves = 'fail';
  const process = a.process;
  expect(await fleet.answer(a, vote(2))).toBe('state-unwritten');
  expect(await fleet.answer(a, vote(2))).toBe('state-unwritten');
  await fleet.run(100);
  expect(process?.dead).toBe(true);
  expect(a.disk.own.height).toBe(1);
});

test('invariant 2: a write in doubt is released only after the record was read back to hold it', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  a.network = { ...quietNetwork, unanswered: 1 };
  expect(await fleet.answer(a, vote(1))).toEqual(signed);
  a.network = { ...quietNetwork, lost: 1 };
  expect(await fleet.answer(a, vote(2))).toMatch(/^(doubt|too-late)$/);
  expect(fleet.record.height).toBe(1);
  a.network = { ...quietNetwork, late: 1, lateMsMax: 6000 };
  expect(await fleet.answer(a, vote(3, 'x', { seconds: 1 }))).toMatch(/^(doubt|too-late)$/);
  await fleet.run(6000);
  a.network = quietNetwork;
  // The write came through after all: its bytes are the position's, for ever.
  expect(fleet.record.height).toBe(3);
  expect(await fleet.answer(a, vote(3, 'y'))).toBe('position-conflict');
  expect(await fleet.answer(a, vote(3, 'x', { seconds: 9 }))).toEqual(signed);
  expect(fleet.unguarded).toEqual([]);
});

test('invariant 2: an extension goes out with a non-nil precommit alone', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  const extension = 'a price';
  expect(await fleet.answer(a, vote(1, 'x', { extension }))).toBe('extension-misplaced');
  expect(await fleet.answer(a, vote(1, '', { step: 3, extension }))).toBe('extension-misplaced');
  expect(await fleet.answer(a, vote(1, 'x', { step: 3, extension }))).toEqual(signed);
});

test('invariant 3: after a claim no write of the old holder succeeds; it is fenced', async () => {
  const fleet = new Fleet();
  const a = await fleet.active('a');
  expect(await fleet.answer(a, vote(1, 'x'))).toEqual(signed);
  // Frozen while the other takes over, and woken without having read anything.
  const b = fleet.add('b');
  await fleet.start(b);
  a.network = { ...quietNetwork, lost: 1 };
  await fleet.active('b');
  a.network = quietNetwork;
  const before = fleet.record;
  expect(before).toMatchObject({ epoch: 2, holder: 'b' });
  const asking = fleet.ask(a, vote(2, 'y'));
  await fleet.run(1500);
  expect(await asking).toMatchObject({ refused: expect.stringMatching(/^(fenced|standby)/) });
  expect(fleet.record).toEqual(before);
  expect(fleet.state(a)).toBe('fenced');
  expect(await fleet.answer(b, vote(2, 'x'))).toEqual(signed);
  a.process?.guard.standBy();
  await fleet.run(600);
  expect(fleet.state(a)).toBe('standby');
});

test('invariant 3: the write itself names its holder, so a process that believes to be active signs nothing', async () => {
  const fleet = new Fleet();
  const a = await fleet.active('a');
  // The claim of another, unseen by a until its write is refused.
  fleet.grant('b');
  const stolen = { ...fleet.record, epoch: fleet.record.grantEpoch, holder: 'b', incarnation: 'other' };
  fleet.table.items.set(recordKey, stolen);
  const asking = fleet.ask(a, vote(1, 'x'));
  expect(fleet.state(a)).toBe('active');
  await fleet.run(200);
  expect(await asking).toMatchObject({ refused: expect.stringMatching(/^fenced/) });
  expect(fleet.record).toEqual(stolen);
});

test('invariant 3: a holder that was fenced unawares does not release what the next one recorded, be it the same', async () => {
  const fleet = new Fleet();
  const a = await fleet.active('a');
  const b = fleet.add('b');
  await fleet.start(b);
  a.network = { ...quietNetwork, lost: 1 };
  fleet.grant('b');
  for (let waited = 0; waited < 150 && fleet.state(b) !== 'active'; waited++) await fleet.run(100);
  expect(await fleet.answer(b, vote(1, 'x'))).toEqual(signed);
  a.network = quietNetwork;
  expect(fleet.state(a)).toBe('active');
  const asking = fleet.ask(a, vote(1, 'x'));
  await fleet.run(1500);
  expect(await asking).toMatchObject({ refused: expect.stringMatching(/^fenced/) });
});

test('invariant 3: a request under way writes nothing to a record that was put back, once this machine saw a later epoch', async () => {
  const held = { epoch: 2, holder: 'demo_a', incarnation: 'one' };
  const pin = { table: 'beam-sign', key: recordKey, recordId };
  const floor = { height: 1, round: 0, step: 3 } as const;
  const enrolled = enrolledState(
    { guard: 'record', record: pin, publicKey: 'AA==', chainId, thing: 'demo_a', machine: '', floor },
    'done',
  );
  const message = request(vote(2));
  if (message.kind !== 'signVote') throw new Error('not a vote');
  let writes = 0;
  for (const epochSeen of [2, 3]) {
    const keeper = new StateKeeper(
      { load: async () => ({ kind: 'none' }), save: async () => {} },
      { ...enrolled, epochSeen },
      () => {},
    );
    const store: RecordStore = {
      read: async () => ({ kind: 'doubt', cause: 'away' }),
      update: async () => {
        writes += 1;
        return { kind: 'doubt', cause: 'away' };
      },
    };
    const clock = { now: () => 0, wall: () => 0, sleep: async () => {} };
    const reserving = reserve(voteRequest(chainId, message.vote), {
      view: new RecordView(store, keeper, clock, recordKey),
      keeper,
      clock,
      random: { hex: () => 'ab' },
      holding: { recordId, ...held },
      deadlineMs: 2500,
      meter: undefined,
      releaser: { entryOf: () => journalled(2), settle: async () => {} },
    });
    await expect(reserving).rejects.toMatchObject({ code: 'doubt' });
    expect(writes).toBe(2);
  }
});

test('invariant 3: a clone, or a restored image, is refused; so is the original once the clone has taken over', async () => {
  const fleet = new Fleet();
  const a = await fleet.active('a');
  const image = structuredClone(a.disk);
  // Restarts since: the image knows nothing of them.
  for (let restart = 0; restart < 2; restart++) {
    fleet.kill(a);
    await fleet.start(a);
    await fleet.run(600);
    expect(fleet.state(a)).toBe('active');
  }
  const old = fleet.add('image', image, 'a');
  await fleet.start(old);
  await fleet.run(600);
  expect(fleet.state(old)).toBe('refusing');
  expect(await fleet.answer(old, vote(1))).toBe('other-incarnation');
  expect(fleet.state(a)).toBe('active');
  // Cloned while it ran: whichever started last has it, and the other one is out, before it has read so too.
  const clone = fleet.clone(a, 'clone');
  a.network = { ...quietNetwork, lost: 1 };
  await fleet.start(clone);
  await fleet.run(1200);
  a.network = quietNetwork;
  const { record } = fleet;
  const asking = fleet.ask(a, vote(1));
  await fleet.run(1500);
  expect(await asking).toMatchObject({ refused: expect.stringMatching(/^(fenced|other-incarnation)/) });
  expect(fleet.record).toEqual(record);
  expect([fleet.state(a), fleet.state(clone)]).toEqual(['refusing', 'active']);
});

test('invariant 3: a grant is claimed once; a claim that arrives late changes nothing', async () => {
  const fleet = new Fleet();
  await fleet.active('a');
  const late = claim(recordKey, { recordId, epoch: 1, holder: 'a', incarnation: 'former' });
  expect(fleet.table.apply(late)).toBeUndefined();
  fleet.grant('b');
  expect(fleet.table.apply(late)).toBeUndefined();
});

/** A record changed behind our backs, and what the signer says. */
test.each<[string, string, (fleet: Fleet) => void]>([
  ['missing', 'record-missing', (fleet) => fleet.table.items.delete(recordKey)],
  [
    'enrolled anew',
    'record-replaced',
    (fleet) => {
      fleet.table.items.delete(recordKey);
      fleet.table.apply(enrol(recordKey, 'record-0002', { height: 0, round: 0, step: 3 }));
    },
  ],
  [
    'back at an earlier position',
    'record-went-back',
    (fleet) => fleet.table.items.set(recordKey, { ...fleet.record, height: 1 }),
  ],
  [
    'back at an earlier epoch',
    'record-went-back',
    (fleet) => fleet.table.items.set(recordKey, { ...fleet.record, epoch: 0 }),
  ],
  [
    'with other bytes at its position',
    'record-conflict',
    (fleet) => fleet.table.items.set(recordKey, { ...fleet.record, signBytes: 'AAAA' }),
  ],
  [
    'unreadable',
    'record-unreadable',
    (fleet) => fleet.table.items.set(recordKey, { ...fleet.record, height: 'many' }),
  ],
])(
  'invariant 4: a record that is %s is refused, while the process runs and after a restart',
  async (_, code, harm) => {
    const fleet = new Fleet();
    const a = await fleet.active();
    expect(await fleet.answer(a, vote(2))).toEqual(signed);
    harm(fleet);
    await fleet.run(700);
    expect(fleet.state(a)).toBe('refusing');
    expect(await fleet.answer(a, vote(3))).toBe(code);
    fleet.kill(a);
    await fleet.start(a);
    await fleet.run(700);
    expect(await fleet.answer(a, vote(3))).toBe(code);
  },
);

test('invariant 4: a record that went back bars every grant, even after it has risen again', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  expect(await fleet.answer(a, vote(2))).toEqual(signed);
  const { record } = fleet;
  fleet.table.items.set(recordKey, { ...record, height: 1 });
  await fleet.run(700);
  fleet.table.items.set(recordKey, { ...record, height: 9 });
  fleet.grant('a');
  await fleet.run(1500);
  expect(fleet.state(a)).toBe('refusing');
  expect(fleet.record.epoch).toBe(1);
});

test('a sealed record: the active’s next write is refused, it and every standby refuse for good, no grant revives it', async () => {
  const fleet = new Fleet();
  const a = await fleet.active('a');
  const b = fleet.add('b');
  await fleet.start(b);
  await fleet.run(700);
  expect(await fleet.answer(a, vote(1))).toEqual(signed);
  // The active has read nothing since: it is its write that fails.
  fleet.table.apply(seal(recordKey, { recordId, token: 't-1', at: '2026-01-01' }));
  const { record } = fleet;
  expect(fleet.state(a)).toBe('active');
  expect(await fleet.answer(a, vote(2))).toBe('sealed');
  expect(await fleet.answer(a, vote(1))).toBe('sealed');
  await fleet.run(700);
  expect([fleet.state(a), fleet.state(b)]).toEqual(['refusing', 'refusing']);
  expect([a.disk.bar?.code, b.disk.bar?.code]).toEqual(['sealed', 'sealed']);
  for (const machine of [a, b]) {
    fleet.grant(machine.thing);
    await fleet.run(1500);
    fleet.kill(machine);
    await fleet.start(machine);
    await fleet.run(1500);
    expect(await fleet.answer(machine, vote(3))).toBe('sealed');
  }
  // A record put back from before the seal is no way round it, nor is one that never was read.
  fleet.table.items.set(recordKey, { ...record, epoch: 1, holder: 'a', incarnation: 'i' });
  fleet.grant('b');
  await fleet.run(1500);
  expect(fleet.state(b)).toBe('refusing');
  fleet.kill(a);
  a.network = { ...quietNetwork, lost: 1 };
  await fleet.start(a);
  await fleet.run(700);
  expect(await fleet.answer(a, vote(4))).toMatch(/^(sealed|standby)$/);
  expect(fleet.record.height).toBe(1);
});

test('invariant 4: another chain, another key, nobody answering', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  expect(await fleet.answer(a, vote(1, 'x', { chain: 'other-1' }))).toBe('wrong-chain');
  expect(await fleet.answer(a, vote(1, 'x', { validator: 'ab'.repeat(20) }))).toBe('wrong-key');
  a.network = { ...quietNetwork, lost: 1 };
  const askedMs = fleet.clock.now();
  expect(await fleet.answer(a, vote(1))).toMatch(/^(doubt|too-late)$/);
  expect(fleet.clock.now() - askedMs).toBeLessThanOrEqual(2500);
});

test('invariant 4: a record that was never seen lets nobody sign, though the state says that we held it', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  fleet.kill(a);
  a.network = { ...quietNetwork, lost: 1 };
  await fleet.start(a);
  expect(await fleet.answer(a, vote(1))).toBe('standby');
});

test('invariant 5: the signer has no call that deletes or replaces a record', () => {
  const signer = resolve(dirname(fileURLToPath(import.meta.url)), '..');
  const calls = /\b(\w+)Command\b|\bcall\('(\w+)'/g;
  const commands = readdirSync(signer, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .flatMap((name) => [...readFileSync(join(signer, name), 'utf8').matchAll(calls)])
    .map(([, sdk, own]) => sdk ?? own);
  expect([...new Set(commands)].sort()).toEqual(['GetItem', 'GetPublicKey', 'Sign', 'UpdateItem']);
});

test('invariant 6: the next holder votes for the locked block or nil at the lock’s height, and freely above it', async () => {
  const fleet = new Fleet();
  const a = await fleet.active('a');
  expect(await fleet.answer(a, vote(1, 'x', { step: 3 }))).toEqual(signed);
  // The one who locked knows by itself what it may do.
  expect(await fleet.answer(a, vote(1, 'y', { round: 1 }))).toEqual(signed);
  fleet.kill(a);
  const b = await fleet.active('b');
  expect(await fleet.answer(b, vote(1, 'y', { round: 2 }))).toBe('locked');
  expect(await fleet.answer(b, vote(1, '', { round: 2 }))).toEqual(signed);
  expect(await fleet.answer(b, vote(1, 'x', { round: 2, step: 3 }))).toEqual(signed);
  expect(await fleet.answer(b, vote(2, 'y'))).toEqual(signed);
});

test('invariant 8: a height more than 2 above the record needs the node’s own committed height', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  expect(await fleet.answer(a, vote(3))).toBe('height-leap');
  expect(await fleet.answer(a, vote(2))).toEqual(signed);
  fleet.committed = 49;
  expect(await fleet.answer(a, vote(51))).toBe('height-leap');
  expect(await fleet.answer(a, vote(50))).toEqual(signed);
  fleet.rpc = false;
  expect(await fleet.answer(a, vote(90))).toBe('height-leap');
  expect(await fleet.answer(a, vote(51))).toEqual(signed);
});

test('a bare floor is never signed at, and a record above the disk is adopted', async () => {
  const fleet = new Fleet();
  fleet.enrolRecord({ height: 7, round: 0, step: 3 });
  fleet.committed = 7;
  const a = await fleet.active();
  expect(await fleet.answer(a, vote(7, 'x', { step: 3 }))).toBe('bare-floor');
  expect(await fleet.answer(a, vote(7, 'x', { step: 2 }))).toBe('position-below');
  expect(await fleet.answer(a, vote(8))).toEqual(signed);
  expect(a.disk).toMatchObject({ seen: { height: 8 }, own: { height: 8 }, record: { recordId } });
  // An older disk: the record knows more, and it is the record's that counts.
  fleet.kill(a);
  a.disk = { ...a.disk, seen: nothing, own: nothing };
  await fleet.start(a);
  await fleet.run(600);
  expect(await fleet.answer(a, vote(8, 'y'))).toBe('position-conflict');
  expect(await fleet.answer(a, vote(8, 'x'))).toEqual(signed);
});
const nothing: HeldPosition = { height: 0, round: 0, step: 3, signBytes: '', timestamp: '' };
