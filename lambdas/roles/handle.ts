/** One event of the roles function, whatever cloud and clock it runs on. */

import type { Covered } from '../aws/covered.ts';
import { log } from '../aws/log.ts';
import { parseEvent } from './events.ts';
import type { Effects } from './execute.ts';
import { settle } from './settle.ts';

/** What an instance of the function keeps from one event to the next. */
export interface RolesInstance {
  effects: Effects;
  covered: Covered;
  /** ms since 1970. */
  now: () => number;
}

/** @throws where a store can't be reached: the cloud invokes again, and the sweep does so anyway. */
export async function handleRoles({ effects, covered, now }: RolesInstance, event: unknown): Promise<void> {
  const invocation = parseEvent(event);
  if ('fault' in invocation) {
    // Invoking again would not mend it.
    log('error', 'An event that is not one of ours is left out', { fault: invocation.fault });
    return;
  }
  const { fleet, trigger } = invocation;
  // What Commander wrote was decided already.
  if (trigger.kind === 'documents' && trigger.own) return;
  if (fleet !== undefined) {
    const { kind, receivedAt } = trigger;
    const wish = kind === 'request' || trigger.touched || trigger.before?.written !== trigger.after?.written;
    if (!wish && covered.covers(fleet, receivedAt, now())) return;
    const startedAt = now();
    await settle(effects, fleet, trigger, now);
    // A request reads no sentries.
    if (kind === 'documents') covered.done(fleet, startedAt);
    return;
  }
  const failures: unknown[] = [];
  for (const name of await effects.fleetTable.fleets()) {
    try {
      await settle(effects, name, trigger, now);
    } catch (error) {
      log('error', `The sweep of fleet ${name} failed`, { error: String(error) });
      failures.push(error);
    }
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `The sweep failed for ${failures.length} fleets`);
}
