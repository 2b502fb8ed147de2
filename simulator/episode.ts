/** One fleet's life: it comes up, things befall it, they stop, and it must sign again. Nothing it does depends on anything but its schedule. */

import type { Fleet } from './fleet/build.ts';
import { buildFleet, enrolAnew } from './fleet/build.ts';
import { History, inflict } from './fleet/inflict.ts';
import { callBack, mend, needsPerson, setRole } from './fleet/operator.ts';
import type { Violation } from './fleet/safety.ts';
import { recordOf } from './fleet/world.ts';
import type { Schedule } from './schedule.ts';
import { quietRates } from './world/network.ts';

export interface Outcome {
  seed: number;
  /** Sign requests that signers answered: each is a chance to sign twice. */
  signs: number;
  /** Signatures among the answers. */
  released: number;
  faults: number;
  violations: Violation[];
  /** Heights whose commit lacks our signature, from the first one that has it. */
  missedBlocks: number;
  /** Blocks from the end of all faults (and of a person's mending) to a commit with our signature; undefined: none came. */
  blocksToRecover: number | undefined;
  /** What was under way where it did not recover. */
  stuck: string | undefined;
}

const startMsMax = 60_000;
/** The fleet's own time before anybody mends anything, and before it counts as stuck. */
const patienceMs = 30_000;
const stuckMs = 150_000;
/** A person looks again so often. */
const personMs = 3_000;
const mendsMax = 2;

export async function runEpisode(
  schedule: Schedule,
  trace: (line: string) => void = () => {},
): Promise<Outcome> {
  const { mix, faults, faultyMs, seed } = schedule;
  const fleet = buildFleet(schedule, (text) => trace(`${stamp(fleet)} ${text}`));
  const { world, servers, commander } = fleet;
  const { scheduler, chain, safety } = world;
  enrolAnew(fleet, { height: 0, round: 0, step: 3 }, 'first');
  const history = new History();
  const signed: boolean[] = [];
  chain.follow((event) => {
    if (event.kind !== 'commit') return;
    history.note(fleet, event.height);
    // Of the height before: late precommits count.
    signed[event.height - 1] = chain.signedAt(event.height - 1) && !chain.foreign.has(event.height - 1);
  });
  const broken = () => safety.violations.length > 0;
  chain.start();
  commander.start();
  for (const server of servers) server.powerOn();
  const [first] = servers;
  if (mix.guard === 'record' && first) {
    scheduler.after(3 * mix.chain.blockMs, () => setRole(fleet, first.thing, 'active'));
  }
  await scheduler.run(startMsMax, () => broken() || safety.signs > 0);

  const beganMs = scheduler.nowMs;
  let inflicted = 0;
  for (const fault of faults) {
    await scheduler.run(beganMs + fault.atMs, broken);
    if (broken()) break;
    inflicted += 1;
    inflict(fleet, fault, history);
  }
  await scheduler.run(beganMs + faultyMs, broken);
  if (!broken()) quieten(fleet);
  const recovery = broken() ? undefined : await recover(fleet, signed, broken);
  for (const server of [...servers, ...fleet.clones]) server.powerOff(false);
  const from = signed.indexOf(true);
  return {
    seed,
    signs: safety.asked,
    released: safety.signs,
    faults: inflicted,
    violations: safety.violations,
    missedBlocks: from < 0 ? 0 : signed.slice(from).filter((one) => one === false).length,
    blocksToRecover: recovery?.blocks,
    stuck: recovery?.stuck,
  };
}

function stamp(fleet: Fleet): string {
  const { scheduler, chain } = fleet.world;
  return `${(scheduler.nowMs / 1000).toFixed(3).padStart(8)} s  height ${String(chain.height).padStart(3)} `;
}

/** All faults stop; what is a person's to do at once is done: clones are off, disks have room, edits are taken back. */
function quieten(fleet: Fleet): void {
  const { world, servers, clones, lambda } = fleet;
  world.trace('all faults stop');
  world.chain.alive = true;
  world.chain.foreign.clear();
  Object.assign(world.chain.rates, { noProposal: 0, noPolka: 0, noCommit: 0, unseen: 0 });
  Object.assign(world.network, quietRates);
  Object.assign(world.nodes, { repeats: 0, differs: 0, leaps: 0, late: 0 });
  Object.assign(world.dynamo, { throttled: 0, failing: 0, down: false });
  Object.assign(lambda, { delayMsMax: 50, dies: 0, twice: 0 });
  world.dies = 0;
  for (const clone of clones) clone.powerOff(false);
  for (const server of servers) {
    server.wake();
    server.way.cutUp = false;
    server.way.cutDown = false;
    server.p2p = true;
    server.rpcUp = true;
    server.disk.fault = undefined;
    server.powerOn();
  }
  if (fleet.guard === 'record') callBack(fleet);
}

async function recover(
  fleet: Fleet,
  signed: readonly boolean[],
  broken: () => boolean,
): Promise<{ blocks: number | undefined; stuck: string | undefined }> {
  const { world, servers } = fleet;
  const { scheduler, chain } = world;
  let from = chain.height;
  const recovered = () => signed.indexOf(true, from + 1) >= 0;
  const done = () => broken() || recovered();
  let mends = 0;
  const untilMs = scheduler.nowMs + stuckMs;
  while (!done() && scheduler.nowMs < untilMs) {
    await scheduler.run(scheduler.nowMs + (mends > 0 ? personMs : patienceMs), done);
    if (done()) break;
    if (needsPerson(fleet) && mends < mendsMax) {
      mends += 1;
      world.trace('a person enrols anew');
      mend(fleet, mends);
      from = chain.height;
    }
    const [first] = servers;
    if (fleet.guard === 'record' && first && recordOf(world.tables)?.holder === '')
      setRole(fleet, first.thing, 'active');
  }
  if (recovered()) return { blocks: signed.indexOf(true, from + 1) - from, stuck: undefined };
  if (broken()) return { blocks: undefined, stuck: undefined };
  const states = servers.map(({ name, signer }) => `${name} ${signer?.status?.state ?? 'off'}`).join(', ');
  return { blocks: undefined, stuck: `${states}; record ${JSON.stringify(recordOf(world.tables))}` };
}
