/** Carries steps out. A grant comes first, and alone; what follows it is independent of one another. */

import { fleetItems } from '../../protocol/fleet-table.ts';
import type { Announcer } from '../aws/announce.ts';
import { log } from '../aws/log.ts';
import type { FleetView } from './core/fleet.ts';
import type { Step, StepOf } from './core/step.ts';
import type { Stores } from './read-fleet.ts';
import type { WriteLimit } from './write-limit.ts';

export interface Effects extends Stores {
  announcer: Announcer;
  limit: WriteLimit;
}

/** `conflict`: somebody else wrote in between, so the fleet is to be read and decided again. */
export type Outcome = 'done' | 'conflict';

type Executors = { [K in Step['step']]: (step: StepOf<K>) => Promise<Outcome> };

export async function execute(effects: Effects, fleet: FleetView, steps: readonly Step[]): Promise<Outcome> {
  const recordKey = fleet.config?.recordKey;
  const executors: Executors = {
    async grant({ recordId, grantEpochSeen, to }) {
      if (recordKey === undefined) throw new Error(`A grant in fleet ${fleet.fleet}, which has no record`);
      const granted = await effects.signTable.grant(recordKey, { recordId, grantEpoch: grantEpochSeen }, to);
      return granted ? 'done' : 'conflict';
    },
    async noteGrant({ step: _, ...note }) {
      await effects.fleetTable.put({ fleet: fleet.fleet, item: fleetItems.grant, ...note });
      return 'done';
    },
    async noteFailover({ step: _, ...note }) {
      await effects.fleetTable.put({ fleet: fleet.fleet, item: fleetItems.failover, ...note });
      return 'done';
    },
    async writeRole({ thing, version, role, epoch, reason }) {
      if (!effects.limit.admits(thing)) {
        log('error', `Too many writes of the role shadow of ${thing}: the next sweep goes on`, {
          role,
          epoch,
        });
        return 'done';
      }
      const desired = {
        role,
        ...(reason === undefined ? {} : { reason }),
        ...(epoch === undefined ? {} : { epoch }),
      };
      const written = await effects.shadows.write(thing, 'role', desired, version);
      log('info', `Role shadow of ${thing} ${written ? 'written' : 'changed meanwhile'}`, { ...desired });
      return written ? 'done' : 'conflict';
    },
    async alert({ step: _, ...alert }) {
      await effects.announcer.announce({ fleet: fleet.fleet, ...alert });
      return 'done';
    },
    async explain({ text }) {
      log('info', text, { fleet: fleet.fleet });
      return 'done';
    },
  };
  // The map has an executor for every kind of step, each taking its own.
  const run = <K extends Step['step']>(step: StepOf<K>) => (executors[step.step as K] as Executors[K])(step);

  const grants = steps.filter((step) => step.step === 'grant');
  for (const step of grants) {
    if ((await run(step)) === 'conflict') return 'conflict';
    log('info', `Granted epoch ${step.grantEpochSeen + 1} to ${step.to || 'nobody'}`, { fleet: fleet.fleet });
  }
  const writes = steps.filter(
    (step) => step.step === 'writeRole' || step.step === 'noteGrant' || step.step === 'noteFailover',
  );
  const settled = await Promise.allSettled(writes.map(run));
  const failed = settled.filter((one) => one.status === 'rejected');
  const conflict = settled.some((one) => one.status === 'fulfilled' && one.value === 'conflict');
  // What is told has happened: nothing was put back for certain where a write failed. But one shadow that takes no more (it is
  // full) must not keep a whole fleet's alerts back.
  const told = steps.filter(
    (step) =>
      step.step === 'explain' ||
      (step.step === 'alert' && (failed.length === 0 || step.kind !== 'role-edit-refused')),
  );
  for (const step of told) if (!conflict || grants.length > 0) await run(step);
  if (failed[0]) throw failed[0].reason;
  return conflict ? 'conflict' : 'done';
}
