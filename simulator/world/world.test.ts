import { expect, test } from '@jest/globals';
import { writeDurably } from '../../signer/disk/atomic-file.ts';
import { SeededChance } from '../../signer/rehearsal/seeded.ts';
import { ServerDisk } from './disk.ts';
import { Way } from './network.ts';
import { Process } from './process.ts';
import { Scheduler } from './scheduler.ts';

function world(seed = 1) {
  const scheduler = new Scheduler();
  const chance = new SeededChance(seed);
  const process = (name = 'p') =>
    new Process(name, { scheduler, chance }, { rate: 1, wallOffMs: 0 }, () => {});
  return { scheduler, chance, process };
}

test('what is due comes in its order, and what follows from it before the next', async () => {
  const { scheduler } = world();
  const seen: string[] = [];
  for (const ms of [30, 10, 20, 10])
    scheduler.after(ms, () => void Promise.resolve().then(() => seen.push(`${ms} at ${scheduler.nowMs}`)));
  scheduler.after(15, () => seen.push('never')).cancel();
  await scheduler.run(25);
  expect(seen).toEqual(['10 at 10', '10 at 10', '20 at 20']);
  expect(scheduler.nowMs).toBe(25);
});

test('a frozen process goes on when it wakes, a dead one never', async () => {
  const { scheduler, process } = world();
  const [frozen, dead] = [process(), process()];
  const seen: string[] = [];
  void frozen.sleep(10).then(() => seen.push(`woke at ${scheduler.nowMs}`));
  void dead.sleep(10).then(() => seen.push('dead'));
  frozen.freeze();
  dead.kill();
  await scheduler.run(50);
  expect(seen).toEqual([]);
  frozen.wake();
  await scheduler.run(60);
  expect(seen).toEqual(['woke at 50']);
});

test('a power loss leaves what was synced, and any part of the rest', async () => {
  const left = new Set<string | undefined>();
  for (let seed = 1; seed <= 60; seed++) {
    const { scheduler, chance, process } = world(seed);
    const server = new ServerDisk(chance);
    const disk = server.of(process());
    void writeDurably('/s/state.json', 'first', disk).then(async () => {
      const file = await disk.open('/s/state.json.tmp', 'w');
      await file.writeFile('second');
      await disk.rename('/s/state.json.tmp', '/s/state.json');
    });
    await scheduler.run(700);
    expect(server.durable('/s/state.json')).toBe('first');
    server.losePower();
    left.add(server.image().get('/s/state.json'));
  }
  expect(left).toContain('first');
  expect(left).toContain('second');
  expect([...left].some((text) => text !== undefined && text !== 'second' && 'second'.startsWith(text))).toBe(
    true,
  );
});

test('a way that is cut one way lets the other pass, and loses what was under way', async () => {
  const { scheduler, chance } = world();
  const way = new Way({ scheduler, chance }, { delayMsMax: 10, lost: 0, twice: 1, late: 0, lateMsMax: 100 });
  const seen: string[] = [];
  way.up(() => seen.push('up'));
  way.down(() => seen.push('down'));
  way.cutUp = true;
  await scheduler.run(200);
  expect(seen).toEqual(['down', 'down']);
});
