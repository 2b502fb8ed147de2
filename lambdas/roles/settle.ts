/** Reads, decides, carries out; again, where somebody else wrote in between. */

import { decide } from './core/decide.ts';
import type { Trigger } from './core/fleet.ts';
import { type Effects, execute } from './execute.ts';
import { readFleet } from './read-fleet.ts';

/** Somebody else writes between our read and our write: so often we look again. */
const roundsMax = 5;

/** @throws where a store can't be reached, or others write all the time: the cloud invokes again, and the sweep does. */
export async function settle(
  effects: Effects,
  fleet: string,
  trigger: Trigger,
  now = Date.now,
): Promise<void> {
  for (let round = 1; round <= roundsMax; round++) {
    const view = await readFleet(effects, fleet, trigger);
    if ((await execute(effects, view, decide(view, trigger, now()))) === 'done') return;
  }
  throw new Error(`The shadows of fleet ${fleet} changed under ${roundsMax} decisions in a row`);
}
