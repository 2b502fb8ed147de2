/** Does a scheduled fault to a fleet, and takes it back when its time is over. */

import { comparePositions } from '../../protocol/sign-position.ts';
import { enrol, grant, type SignRecord, signTableName } from '../../protocol/sign-record.ts';
import { fromItem, toAttribute, toUpdateItem } from '../../protocol/sign-record-dynamodb.ts';
import type { Item } from '../cloud/expressions.ts';
import type { Fault, FaultKind } from '../schedule.ts';
import type { DiskImage } from '../world/disk.ts';
import type { Fleet } from './build.ts';
import { editShadow, seenIn, setRole } from './operator.ts';
import { type Part, Server } from './server.ts';
import { stateDir } from './signer.ts';
import { recordItemKey, recordKey, recordOf } from './world.ts';

/** What was, at each commit: for faults that bring it back. */
export class History {
  readonly #records: { height: number; item: Item }[] = [];
  readonly #disks = new Map<Server, DiskImage[]>();

  note({ world, servers, guard }: Fleet, height: number): void {
    const item = world.tables.get(signTableName, recordItemKey);
    if (guard === 'record' && item) this.#records.push({ height, item });
    for (const server of servers) {
      const images = this.#disks.get(server) ?? [];
      images.push(server.disk.image());
      this.#disks.set(server, images.slice(-imagesMax));
    }
  }

  /** @returns a record that is some heights older, of the epoch of the last one */
  recordBefore(height: number, choice: number): Item | undefined {
    const epoch = this.#records.at(-1)?.item.epoch?.N;
    const old = this.#records.filter(
      ({ height: at, item }) => at <= height - recordAgeBlocksMin && item.epoch?.N === epoch,
    );
    return old.at(-1 - (choice % Math.max(1, Math.min(old.length, 8))))?.item;
  }

  diskOf(server: Server, choice: number): DiskImage | undefined {
    const images = this.#disks.get(server) ?? [];
    return images[choice % Math.max(1, images.length)];
  }
}

const imagesMax = 20;
/**
 * Beyond telling is a record that is put back by hand, under its own id, while a server knows of nothing newer: it was off, its disk was
 * full, it had not read again yet; or from before a takeover of which the former holder, frozen or cut off, does not know.
 */
const recordAgeBlocksMin = 3;

const allKnowBetter = ({ servers }: Fleet, old: Item) =>
  servers.every(({ disk }) => {
    const seen = seenIn(disk.durable(`${stateDir}/state.json`) ?? '');
    return comparePositions(seen, fromItem(old) as unknown as SignRecord) > 0;
  });
const hourMs = 3_600_000;
const clonesMax = 3;

export function inflict(fleet: Fleet, fault: Fault, history: History): void {
  const { world, servers } = fleet;
  const { scheduler, chain } = world;
  const server = servers[fault.server % servers.length];
  if (!server) return;
  const { kind, choice, forMs } = fault;
  world.trace(`fault ${kind} ${server.name} for ${forMs} ms`);
  const later = (act: () => void) => scheduler.after(forMs, act);
  const kill: Record<string, Part> = { 'kill-signer': 'signer', 'kill-pilot': 'pilot', 'kill-node': 'node' };
  const part = kill[kind];
  if (part) {
    server.kill(part);
    return;
  }
  switch (kind) {
    case 'host-off':
    case 'power-loss':
      server.powerOff(kind === 'power-loss');
      later(() => server.powerOn());
      break;
    case 'freeze-host':
    case 'freeze-signer':
      server.freeze(kind === 'freeze-host' ? ['signer', 'pilot', 'node'] : ['signer']);
      later(() => server.wake());
      break;
    case 'cut-cloud':
    case 'cut-cloud-up':
    case 'cut-cloud-down':
      server.way.cutUp = kind !== 'cut-cloud-down';
      server.way.cutDown = kind !== 'cut-cloud-up';
      later(() => {
        server.way.cutUp = false;
        server.way.cutDown = false;
      });
      break;
    case 'cut-p2p':
      server.p2p = false;
      later(() => {
        server.p2p = true;
      });
      break;
    case 'rpc-silent':
      server.rpcUp = false;
      later(() => {
        server.rpcUp = true;
      });
      break;
    case 'clone':
      clone(fleet, server, choice, later);
      break;
    case 'old-disk': {
      const image = history.diskOf(server, choice);
      server.powerOff(false);
      if (image) server.disk.restore(image);
      later(() => server.powerOn());
      break;
    }
    case 'disk-full':
      server.disk.fault = 'ENOSPC: no space left on device';
      later(() => {
        server.disk.fault = undefined;
      });
      break;
    case 'record-deleted':
    case 'record-made-again':
    case 'record-restored':
    case 'record-edited':
    case 'stray-grant':
      atSomeMoment(
        fleet,
        pick(kind === 'record-edited' ? pick(edited, choice).moments : moments, Math.floor(choice / 7)),
        choice,
        () => administer(fleet, kind, choice, history),
      );
      break;
    case 'dynamo-down':
      world.dynamo.down = true;
      later(() => {
        world.dynamo.down = false;
      });
      break;
    case 'clock-jump': {
      const clocks = [server.clock, fleet.cloudClock];
      const clock = clocks[choice % clocks.length];
      if (clock) clock.wallOffMs += (choice % 3 === 0 ? -1 : 1) * (choice % 5 === 0 ? hourMs : choice);
      break;
    }
    case 'chain-halt':
      chain.alive = false;
      later(() => {
        chain.alive = true;
      });
      break;
    case 'foreign-signer':
      for (let height = chain.height + 1; height <= chain.height + 1 + (choice % 5); height++) {
        chain.foreign.add(height);
      }
      // While ours are down its signatures are alone above the record.
      if (choice % 2 === 0) for (const one of servers) one.kill('signer');
      break;
    case 'edit':
      editShadow(fleet, choice);
      break;
    case 'node-restart-all':
      for (const one of servers) one.kill('node');
      break;
  }
}

/** By what each update of the record sets. */
const updates = {
  sign: '#height ',
  claim: '#holder ',
  renew: 'SET #incarnation ',
  grant: '#grantTo ',
  any: 'SET ',
};
type Moment = keyof typeof updates | 'now';

const moments: readonly Moment[] = ['now', 'any', 'sign', 'sign', 'claim', 'renew', 'grant'];
/** An edit is worst just before the update whose condition it meets. */
const edited: readonly { name: string; moments: readonly Moment[] }[] = [
  { name: 'holder', moments: ['now', 'sign', 'sign'] },
  { name: 'grantTo', moments: ['now', 'claim', 'claim'] },
  { name: 'incarnation', moments: ['now', 'sign', 'renew'] },
  { name: 'epoch', moments: ['now', 'sign', 'sign'] },
  { name: 'signBytes', moments: ['now'] },
];

function pick<T>(of: readonly T[], choice: number): T {
  const picked = of[choice % of.length];
  if (picked === undefined) throw new Error('nothing to pick from');
  return picked;
}

/** Now, or between somebody's reading and its write, which is brought about where it would be long in coming. */
function atSomeMoment(fleet: Fleet, moment: Moment, choice: number, act: () => void): void {
  if (moment === 'now') {
    act();
    return;
  }
  const { servers, world } = fleet;
  world.tables.interrupt((update) => update.UpdateExpression?.includes(updates[moment]) === true, act);
  const holder = servers.find(({ thing }) => thing === recordOf(world.tables)?.holder);
  const others = servers.filter((server) => server !== holder);
  if (moment === 'renew') holder?.kill('signer');
  else if ((moment === 'claim' || moment === 'grant') && others.length > 0) {
    setRole(fleet, pick(others, choice).thing, 'active');
  }
}

/** What an administrator can do to the record, and no software of ours; and a grant that nobody asked for. */
function administer(fleet: Fleet, kind: FaultKind, choice: number, history: History): void {
  const { servers, world } = fleet;
  const { tables, chain } = world;
  const put = (item: Item) => tables.put(signTableName, recordItemKey, item);
  const current = tables.get(signTableName, recordItemKey);
  world.trace(`${kind} takes place`);
  const { thing } = pick(servers, Math.floor(choice / 3));
  switch (kind) {
    case 'record-deleted':
      tables.remove(signTableName, recordItemKey);
      return;
    case 'record-made-again':
      tables.remove(signTableName, recordItemKey);
      put({ ...made(), key: { S: recordKey } });
      return;
    case 'record-restored': {
      const old = choice % 3 === 0 ? current : history.recordBefore(chain.height, choice);
      // Beam's own restore gives it another id; an administrator who puts an older item back by hand does not.
      if (!old) return;
      const keepsItsId = choice % 3 === 1 && allKnowBetter(fleet, old);
      put(keepsItsId ? old : { ...old, recordId: { S: `restored-${choice}` } });
      return;
    }
    case 'record-edited': {
      const values: Item = {
        holder: { S: thing },
        grantTo: { S: thing },
        incarnation: { S: `edited-${choice}` },
        epoch: { N: `${Math.max(0, Number(current?.epoch?.N) - 1)}` },
        signBytes: { S: Buffer.from(`edited-${choice}`).toString('base64') },
      };
      const { name } = pick(edited, choice);
      const value = values[name];
      if (current && value) put({ ...current, [name]: value });
      return;
    }
    case 'stray-grant': {
      const record = recordOf(tables);
      const to = choice % 4 < 2 && record?.grantTo ? record.grantTo : thing;
      if (record) tables.update(toUpdateItem(signTableName, grant(recordKey, record, to)));
      return;
    }
  }
}

function made(): Item {
  const { set } = enrol(recordKey, 'record-again', { height: 0, round: 0, step: 3 });
  return Object.fromEntries(Object.entries(set).map(([name, value]) => [name, toAttribute(value)]));
}

function clone(fleet: Fleet, of: Server, choice: number, later: (act: () => void) => void): void {
  if (fleet.clones.length >= clonesMax) return;
  // Under the local guard the machine's id is what stands between a copy and a second signature.
  const other = choice % 3 === 0 || fleet.guard === 'local';
  const machineId = other ? 'machine-other' : of.machineId;
  const copy = new Server(fleet.world, { name: `${of.name}'`, thing: of.thing, zone: of.zone, machineId });
  copy.disk.restore(of.disk.image());
  fleet.clones.push(copy);
  copy.powerOn();
  later(() => copy.powerOff(false));
}
