import { expect, test } from '@jest/globals';
import { Fleet } from '../rehearsal/fleet.ts';
import { vote } from '../rehearsal/requests.ts';
import { quietNetwork } from '../rehearsal/table.ts';

/** Longer than any refusal's code. */
const signed = expect.stringMatching(/^.{60,}$/);

test('invariant 9: before the first signature after a claim, a committed one above the record stops the signer', async () => {
  const fleet = new Fleet();
  fleet.enrolRecord();
  const a = fleet.add('a');
  await fleet.start(a);
  await fleet.run(600);
  fleet.committed = 5;
  fleet.signedOnChain.add(4);
  fleet.grant('a');
  await fleet.run(600);
  expect(await fleet.answer(a, vote(6))).toBe('foreign-signer');
  expect(a.disk.bar?.code).toBe('foreign-signer');
  // It lasts, whatever the chain does next.
  fleet.signedOnChain.clear();
  fleet.kill(a);
  await fleet.start(a);
  await fleet.run(600);
  expect(await fleet.answer(a, vote(6))).toBe('foreign-signer');
});

test('invariant 9: a node that was behind at the claim is looked at again before the first signature', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  fleet.committed = 101;
  expect(await fleet.answer(a, vote(102))).toEqual(signed);
  fleet.kill(a);
  await fleet.start(a);
  await fleet.run(600);
  // A foreign signer signed on, and the node only now catches up with what it missed.
  fleet.committed = 200;
  for (let height = 103; height <= 200; height++) fleet.signedOnChain.add(height);
  expect(await fleet.answer(a, vote(201))).toBe('foreign-signer');
});

test('invariant 9: a position that is asked for again after a restart is no first signature', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  expect(await fleet.answer(a, vote(1))).toEqual(signed);
  fleet.kill(a);
  await fleet.start(a);
  await fleet.run(600);
  expect(await fleet.answer(a, vote(1))).toEqual(signed);
  fleet.committed = 2;
  fleet.signedOnChain.add(2);
  expect(await fleet.answer(a, vote(3))).toBe('foreign-signer');
});

test('invariant 9: where heights went by without us, the next signature is a first one again', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  expect(await fleet.answer(a, vote(1))).toEqual(signed);
  fleet.committed = 4;
  fleet.signedOnChain.add(2);
  expect(await fleet.answer(a, vote(5))).toBe('foreign-signer');
});

test('invariant 9: a height that we left out is looked at before the next signature, also where that was vetted before', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  a.network = { ...quietNetwork, lost: 1 };
  expect(await fleet.answer(a, vote(1))).toBe('too-late');
  // Told while the record can't be asked: a suspicion that comes to nothing.
  fleet.committed = 1;
  fleet.signedOnChain.add(1);
  a.process?.guard.committed(1, 'pilot');
  await fleet.run(1000);
  a.network = quietNetwork;
  expect(await fleet.answer(a, vote(2))).toBe('foreign-signer');
  expect(fleet.record.height).toBe(0);
});

test('invariant 9: after a restart too, and where the node does not tell, nothing is signed', async () => {
  const fleet = new Fleet();
  const a = await fleet.active();
  expect(await fleet.answer(a, vote(1))).toEqual(signed);
  fleet.kill(a);
  fleet.committed = 2;
  fleet.rpc = false;
  await fleet.start(a);
  await fleet.run(600);
  expect(await fleet.answer(a, vote(2))).toBe('unvetted');
  fleet.rpc = true;
  fleet.signedOnChain.add(2);
  expect(await fleet.answer(a, vote(3))).toBe('foreign-signer');
});

test('invariant 9: with each commit, on a standby as well', async () => {
  const fleet = new Fleet();
  const a = await fleet.active('a');
  const b = fleet.add('b');
  await fleet.start(b);
  await fleet.run(700);
  expect(await fleet.answer(a, vote(1, 'x', { step: 3 }))).toEqual(signed);
  fleet.committed = 1;
  // The standby has not read the record since: it must, before it cries wolf.
  for (const machine of [a, b]) machine.process?.guard.committed(1, 'pilot');
  await fleet.run(600);
  expect([fleet.state(a), fleet.state(b)]).toEqual(['active', 'standby']);
  fleet.committed = 3;
  fleet.signedOnChain.add(3);
  for (const machine of [a, b]) machine.process?.guard.committed(3, 'pilot');
  await fleet.run(600);
  expect([fleet.state(a), fleet.state(b)]).toEqual(['refusing', 'refusing']);
});
