import { expect, test } from '@jest/globals';
import { Fleet, type Machine } from '../rehearsal/fleet.ts';
import { vote } from '../rehearsal/requests.ts';

const signed = expect.stringMatching(/^.{60,}$/);

async function started(): Promise<{ fleet: Fleet; a: Machine }> {
  const fleet = new Fleet();
  const a = fleet.add('a', { guard: 'local' });
  await fleet.start(a);
  return { fleet, a };
}

test('the local guard signs upwards, and at its own position the stored bytes alone', async () => {
  const { fleet, a } = await started();
  const first = await fleet.answer(a, vote(1, 'x', { seconds: 1 }));
  expect(first).toEqual(signed);
  expect(await fleet.answer(a, vote(1, 'x', { seconds: 2 }))).toBe(first);
  expect(await fleet.answer(a, vote(1, 'y', { seconds: 1 }))).toBe('position-conflict');
  expect(await fleet.answer(a, vote(1, 'y', { step: 1 }))).toBe('position-below');
  expect(fleet.unguarded).toEqual([]);
  fleet.kill(a);
  await fleet.start(a);
  expect(await fleet.answer(a, vote(1, 'x', { seconds: 3 }))).toBe(first);
  expect(await fleet.answer(a, vote(1, 'y'))).toBe('position-conflict');
});

test('a height that leaps, a bare floor and a disk that fails are refused', async () => {
  const { fleet, a } = await started();
  expect(await fleet.answer(a, vote(4))).toBe('height-leap');
  expect(await fleet.answer(a, { height: 0, step: 3 })).toBe('down');
  fleet.committed = 8;
  expect(await fleet.answer(a, vote(9))).toEqual(signed);
  a.saves = 'fail';
  const { process } = a;
  expect(await fleet.answer(a, vote(10))).toBe('state-unwritten');
  expect(await fleet.answer(a, vote(11))).toBe('state-unwritten');
  await fleet.run(100);
  expect(process?.dead).toBe(true);
});

test('a signature on the chain that this machine knows nothing of stops it, at the start and later', async () => {
  const { fleet, a } = await started();
  expect(await fleet.answer(a, vote(1, 'x', { step: 3 }))).toEqual(signed);
  fleet.committed = 1;
  a.process?.guard.committed(1, 'pilot');
  expect(await fleet.answer(a, vote(2, 'x', { step: 3 }))).toEqual(signed);
  fleet.committed = 3;
  fleet.signedOnChain.add(3);
  a.process?.guard.committed(3, 'pilot');
  await fleet.run(50);
  expect(fleet.state(a)).toBe('refusing');
  expect(await fleet.answer(a, vote(4))).toBe('foreign-signer');
  // An old disk does not know of the bar; the chain still tells.
  fleet.kill(a);
  a.disk = { ...a.disk, bar: undefined };
  await fleet.start(a);
  expect(await fleet.answer(a, vote(4))).toBe('foreign-signer');
});

test('without the node’s word there is no first signature', async () => {
  const { fleet, a } = await started();
  fleet.rpc = false;
  expect(await fleet.answer(a, vote(1))).toBe('unvetted');
  fleet.rpc = true;
  expect(await fleet.answer(a, vote(1))).toEqual(signed);
  fleet.rpc = false;
  expect(await fleet.answer(a, vote(2))).toEqual(signed);
});

test('a node that asks while the journal is still read waits until it has the line that a kill kept from it', async () => {
  const { fleet, a } = await started();
  expect(await fleet.answer(a, vote(1))).toEqual(signed);
  fleet.kill(a);
  a.journal.pop();
  await fleet.start(a);
  expect(await fleet.answer(a, vote(2))).toEqual(signed);
  expect(fleet.unguarded).toEqual([]);
  expect(a.journal[0]).toMatchObject({ height: 1 });
});
