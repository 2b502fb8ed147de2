import { expect, test } from '@jest/globals';
import { Fleet, type Machine } from '../rehearsal/fleet.ts';
import type { Ask } from '../rehearsal/requests.ts';
import type { NetworkFaults } from '../rehearsal/table.ts';

const badNetwork: NetworkFaults = {
  latencyMsMax: 60,
  lost: 0.04,
  unanswered: 0.06,
  late: 0.06,
  lateMsMax: 6000,
};

/** More of them for a longer search: BEAM_STORM_SEEDS=2000. */
const seeds = Number(process.env.BEAM_STORM_SEEDS ?? 15);

/** Nodes that ask anything, of signers that anything happens to. */
async function storm(seed: number, rounds: number): Promise<Fleet> {
  const fleet = new Fleet(seed);
  const { chance } = fleet;
  fleet.enrolRecord();
  const names = ['a', 'b', 'c'].slice(0, 2 + chance.below(2));
  const machines: Machine[] = names.map((name) => fleet.add(name));
  for (const machine of machines) {
    machine.network = { ...badNetwork, latencyMsMax: 20 + chance.below(200) };
    await fleet.start(machine);
  }
  fleet.grant('a');
  await fleet.clock.run(400);
  const asked: Promise<unknown>[] = [];
  for (let round = 0; round < rounds; round++) {
    if (chance.happens(0.3)) fleet.committed += 1;
    const machine = chance.pick(machines);
    const event = chance.next();
    if (event < 0.1) fleet.grant(chance.pick(machines).thing);
    else if (event < 0.14) fleet.kill(machine);
    else if (event < 0.16 && machines.length < 6) machines.push(fleet.clone(machine, `${machine.name}'`));
    else if (event < 0.18) {
      // Restored from an older image of the disk.
      fleet.kill(machine);
      machine.disk = chance.pick(machine.history);
      machine.released = undefined;
    }
    if (!machine.process && chance.happens(0.6)) {
      await fleet.start(machine, chance.happens(0.5) ? 1 + chance.below(30) : undefined);
    }
    if (chance.happens(0.2)) machine.process?.guard.committed(fleet.committed, 'pilot');
    const ask: Ask = {
      height: Math.max(1, fleet.committed + 1 - (chance.happens(0.1) ? 1 : 0)),
      round: chance.happens(0.2) ? 1 : 0,
      step: chance.pick([1, 2, 3] as const),
      block: chance.pick(['x', 'y', '']) || (chance.happens(0.5) ? 'x' : 'nil'),
      seconds: 1_700_000_000 + chance.below(3),
    };
    if (ask.step !== 1 && ask.block === 'nil') ask.block = '';
    for (const one of chance.happens(0.5) ? machines : [machine]) {
      asked.push(
        fleet.ask(one, { ...ask, ...(chance.happens(0.3) ? { block: chance.pick(['x', 'y']) } : {}) }),
      );
    }
    await fleet.clock.run(chance.next() * 400);
  }
  await fleet.clock.run(5000);
  for (const machine of machines) fleet.kill(machine);
  return fleet;
}

test('whatever happens to whom, no position is released over two different bytes', async () => {
  let released = 0;
  let twice = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const fleet = await storm(seed, 120);
    if (fleet.conflicts().length > 0) throw new Error(`seed ${seed}: ${JSON.stringify(fleet.conflicts())}`);
    if (fleet.unguarded.length > 0) throw new Error(`seed ${seed}: ${fleet.unguarded[0]}`);
    released += fleet.released.length;
    const positions = new Set(fleet.released.map(({ at }) => `${at.height}/${at.round}/${at.step}`));
    twice += fleet.released.length - positions.size;
  }
  // The storm is worth something only while signatures get through it, and the same position is released again.
  expect(released).toBeGreaterThan(seeds * 8);
  expect(twice).toBeGreaterThan(seeds);
}, 600_000);
