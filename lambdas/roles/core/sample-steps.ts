/** What the tests of the decider read out of its steps, and say of its fleets. */

import { decide } from './decide.ts';
import type { FleetView, Trigger } from './fleet.ts';
import { now, recordId, recordKey } from './sample-fleet.ts';
import type { Step, StepOf } from './step.ts';

export const of = <K extends Step['step']>(steps: Step[], kind: K): StepOf<K>[] =>
  steps.filter((step): step is StepOf<K> => step.step === kind);
export const grants = (steps: Step[]) =>
  of(steps, 'grant').map(({ to, grantEpochSeen }) => [to, grantEpochSeen + 1]);
export const writes = (steps: Step[]) =>
  of(steps, 'writeRole').map(({ thing, role, epoch, reason = 'kept' }) => ({ thing, role, epoch, reason }));
export const told = (steps: Step[]) => of(steps, 'alert').map(({ kind }) => kind);
export const write = (thing: string, role: string, epoch: number | undefined, reason: unknown = null) => ({
  thing,
  role,
  epoch,
  reason,
});
export const decided = (fleet: FleetView, trigger: Trigger, at = now) => decide(fleet, trigger, at);

export const signer = (state: 'refusing' | 'unenrolled' | 'standby', some = {}) => ({
  state,
  address: 'AA',
  recordKey,
  recordId,
  epoch: 1,
  height: 99,
  ...some,
});
export const grantedTo = (to: string, at: number) => ({
  lastGrant: {
    fleet: 'demo',
    item: '#grant' as const,
    recordId,
    epoch: 2,
    to,
    from: 'demo_a',
    fromEpoch: 1,
    at,
    by: 'automatic' as const,
    reason: '',
  },
});

export const sampleA = {
  desired: { role: 'active', epoch: 1 },
  reported: 'active' as const,
  health: { role: 'active' as const, signer: { ...signer('standby'), state: 'active' as const } },
};
export const pending = { grantEpoch: 2, grantTo: 'demo_b' };
