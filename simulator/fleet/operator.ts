/** The people of a simulated fleet: one who edits shadows at random, and one who mends what only a person may. */

import { laterPosition, type SignPosition } from '../../protocol/sign-position.ts';
import { signTableName } from '../../protocol/sign-record.ts';
import { readState } from '../../signer/disk/state-text.ts';
import type { Fleet } from './build.ts';
import { enrolAnew } from './build.ts';
import { stateDir } from './signer.ts';
import { recordItemKey, recordOf } from './world.ts';

const edits: readonly (object | null)[] = [
  { role: 'active' },
  { role: 'active', epoch: 3 },
  { role: 'active', epoch: 9_999_999 },
  { role: 'standby' },
  { role: 'standby', epoch: 0 },
  { role: 'maintenance' },
  { role: 'sentry' },
  { role: 'signer' },
  { role: { of: 'nothing' } },
  { role: 'active', epoch: 'seven' },
  { role: null },
  { epoch: null },
  { epoch: 12 },
  null,
];

export function editShadow({ world, servers }: Fleet, choice: number): void {
  const server = servers[choice % servers.length];
  if (!server) return;
  const key = { thing: server.thing, shadow: 'role' };
  const turn = Math.floor(choice / servers.length) % (edits.length + 1);
  const desired = edits[turn];
  if (desired === undefined) world.iot.request(key, 'delete', '', 'https');
  else world.iot.request(key, 'update', JSON.stringify({ state: { desired } }), 'https');
}

export function setRole({ world }: Fleet, thing: string, role: 'active' | 'standby'): void {
  const body = JSON.stringify({ state: { desired: { role, epoch: null } } });
  world.iot.request({ thing, shadow: 'role' }, 'update', body, 'https');
}

/** Servers that were set aside stand by again. */
export function callBack(fleet: Fleet): void {
  const { world, servers } = fleet;
  const holder = recordOf(world.tables)?.holder;
  for (const { thing } of servers) if (thing !== holder) setRole(fleet, thing, 'standby');
}

/** What a record shows when it was put back or changed by hand: no grant until it is enrolled anew (`lambdas/roles/core/trouble.ts`). */
const recordTroubles = ['record-went-back', 'record-conflict'];

/** Whether there is anything that no software of ours may mend. */
export function needsPerson({ world, servers, guard }: Fleet): boolean {
  if (guard === 'record' && !world.tables.get(signTableName, recordItemKey)) return true;
  const states = servers.map(({ signer }) => signer?.status);
  return (
    states.some((status) => recordTroubles.includes(status?.code ?? '')) ||
    states.every((status) => status?.state === 'refusing' || status?.state === 'unenrolled')
  );
}

/** As docs tell: all signers stopped, states moved away, the record removed, then enrolled with a floor above all that is known. */
export function mend(fleet: Fleet, times: number): void {
  const { world, servers } = fleet;
  let floor: SignPosition = { height: world.chain.height + 2, round: 0, step: 3 };
  const record = recordOf(world.tables);
  if (record) floor = laterPosition(floor, record);
  for (const server of servers) {
    server.powerOff(false);
    for (const [path, text] of server.disk.image())
      if (path === `${stateDir}/state.json`) floor = laterPosition(floor, seenIn(text));
  }
  const { height, round, step } = floor;
  enrolAnew(fleet, { height, round, step }, `mended-${times}`);
  for (const server of servers) server.powerOn();
}

/** @param text of a state file */
export function seenIn(text: string): SignPosition {
  try {
    return readState(text).seen;
  } catch {
    return { height: 0, round: 0, step: 0 };
  }
}
