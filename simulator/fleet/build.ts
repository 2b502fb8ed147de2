/** Puts a fleet together: cloud, chain, servers, an enrolled key. */

import { toJsonItem } from '../../protocol/dynamodb-json.ts';
import {
  type FleetConfig,
  fleetItems,
  fleetTableName,
  fleetTablePartitionKey,
  fleetTableSortKey,
} from '../../protocol/fleet-table.ts';
import type { SignPosition } from '../../protocol/sign-position.ts';
import { enrol, type SignRecord, signTableName } from '../../protocol/sign-record.ts';
import { fromItem, toUpdateItem } from '../../protocol/sign-record-dynamodb.ts';
import { enrolledState, type SignerState } from '../../signer/core/state.ts';
import { chainId } from '../../signer/rehearsal/requests.ts';
import { SeededChance } from '../../signer/rehearsal/seeded.ts';
import { Chain } from '../chain/chain.ts';
import { Commander } from '../cloud/commander.ts';
import { Tables } from '../cloud/dynamodb.ts';
import { Iot } from '../cloud/iot.ts';
import type { Schedule } from '../schedule.ts';
import type { DiskImage } from '../world/disk.ts';
import { type MachineClock, worldBeganMs } from '../world/process.ts';
import { Scheduler } from '../world/scheduler.ts';
import { Safety } from './safety.ts';
import { Server } from './server.ts';
import { stateDir } from './signer.ts';
import { fleetName, publicKey, recordKey, type World } from './world.ts';

export interface Fleet {
  world: World;
  commander: Commander;
  /** Commander's and the shadow service's. */
  cloudClock: MachineClock;
  servers: Server[];
  /** Of machines that were copied. */
  clones: Server[];
  guard: 'record' | 'local';
  lambda: Schedule['mix']['lambda'];
}

const zones = ['zone-a', 'zone-b'];
/** Far from the schedule's own draws. */
const worldSeedOffset = 0x5eed;
const jitterSeedOffset = 0x71773;

export function buildFleet({ seed, mix }: Schedule, trace: (text: string) => void): Fleet {
  const scheduler = new Scheduler();
  const chance = new SeededChance(seed ^ worldSeedOffset);
  const shared = { scheduler, chance };
  const safety = new Safety(() => scheduler.nowMs);
  const tables = new Tables();
  const held = new Map<string, number>();
  tables.onUpdate = (table, before, after) => {
    if (table !== signTableName || after.recordId === undefined || after.signBytes === undefined) return;
    const [was, is] = [before, after].map((item) => item && (fromItem(item) as unknown as SignRecord));
    if (!is) return;
    if (was && was.recordId === is.recordId) safety.wrote(was, is);
    if (!held.has(is.signBytes)) held.set(is.signBytes, is.epoch);
  };
  const dynamo = { throttled: mix.throttled, failing: mix.failing, down: false };
  const cloudClock = { rate: 1, wallOffMs: 0 };
  const lambda = { ...mix.lambda };
  const commander: Commander = new Commander({
    ...shared,
    clock: cloudClock,
    tables,
    iot: () => iot,
    faults: dynamo,
    rates: lambda,
    onViolation: (text) => safety.violated(5, text),
    trace,
  });
  const iot = new Iot({
    ...shared,
    now: () => Math.floor(worldBeganMs + scheduler.nowMs + cloudClock.wallOffMs),
    invoke: (name, event) => commander.invoke(name, event),
  });
  const world: World = {
    ...shared,
    jitter: new SeededChance(seed ^ jitterSeedOffset),
    chain: new Chain(shared, { ...mix.chain }),
    tables,
    iot,
    safety,
    dynamo,
    network: { ...mix.network },
    nodes: { ...mix.node },
    dies: mix.dies,
    extensions: mix.extensions,
    healthSeconds: mix.healthSeconds,
    held,
    trace,
  };
  const servers = Array.from({ length: mix.servers }, (_, index) => {
    const letter = String.fromCharCode(97 + index);
    const zone = zones[index % zones.length] ?? '';
    const server = new Server(world, {
      name: letter,
      thing: `${fleetName}_${letter}`,
      zone,
      machineId: `machine-${letter}`,
    });
    server.clock.rate = 1 + (chance.next() * 2 - 1) * mix.drift;
    return server;
  });
  const config: FleetConfig = {
    fleet: fleetName,
    item: fleetItems.config,
    recordKey,
    chainId,
    automaticFailover: true,
    cooldownSeconds: mix.cooldownSeconds,
  };
  tables.put(
    fleetTableName,
    { [fleetTablePartitionKey]: { S: fleetName }, [fleetTableSortKey]: { S: fleetItems.config } },
    toJsonItem(config) as Parameters<Tables['put']>[2],
  );
  return { world, commander, cloudClock, servers, clones: [], guard: mix.guard, lambda };
}

/** Writes the record and every server's state anew, as enrolment and join do. */
export function enrolAnew({ world, servers, guard }: Fleet, floor: SignPosition, key: string): void {
  const { tables } = world;
  const recordId = `record-${key}`;
  if (guard === 'record') {
    tables.remove(signTableName, toUpdateItem(signTableName, enrol(recordKey, recordId, floor)).Key);
    tables.update(toUpdateItem(signTableName, enrol(recordKey, recordId, floor)));
  }
  for (const server of servers) {
    const state = enrolledState(
      {
        guard,
        ...(guard === 'record' ? { record: { table: signTableName, key: recordKey, recordId } } : {}),
        publicKey: Buffer.from(publicKey).toString('base64'),
        chainId,
        thing: server.thing,
        machine: server.machineId,
        floor,
      },
      'done',
    );
    server.disk.restore(imageOf(state));
  }
}

export function imageOf(state: SignerState): DiskImage {
  const { guard, record, publicKey: key, chainId: chain, thing } = state;
  const pins = { guard, ...(record ? { record } : {}), publicKey: key, chainId: chain, thing };
  return new Map([
    [`${stateDir}/state.json`, JSON.stringify(state)],
    [`${stateDir}/enrolled.json`, JSON.stringify(pins)],
  ]);
}
