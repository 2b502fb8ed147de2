/** What the roles function may do, as data: `decide` returns steps, the executor carries them out. */

import type { LastFailover, LastGrant } from '../../../protocol/fleet-table.ts';
import type { DesiredRoleName } from '../../../protocol/shadows.ts';
import type { AlertKind, AlertMessage } from '../../../protocol/topics.ts';

interface StepArguments {
  /** A conditional write to the sign record; where another decider was first, it fails and all is decided again. */
  grant: { recordId: string; grantEpochSeen: number; to: string };
  /** Written after the grant, so that its age is known. */
  noteGrant: Omit<LastGrant, 'fleet' | 'item'>;
  /** Starts the cool-down. */
  noteFailover: Omit<LastFailover, 'fleet' | 'item'>;
  writeRole: RoleWrite;
  alert: {
    thing: string;
    kind: AlertKind;
    severity: AlertMessage['severity'];
    text: string;
    /** The same alert is not sent again within this time. */
    quietMs: number;
  };
  /** For the log: why nothing more was done. */
  explain: { text: string };
}

export interface RoleWrite {
  thing: string;
  /** Of the shadow that the decision was made on; undefined where there is none. */
  version: number | undefined;
  role: DesiredRoleName;
  /** Undefined: left as it is (a sentry has none). */
  epoch: number | undefined;
  /** Why an edit was put back; null clears what was said before, undefined leaves it. */
  reason: string | null | undefined;
}

export type Step = {
  [K in keyof StepArguments]: { step: K } & StepArguments[K];
}[keyof StepArguments];
export type StepOf<K extends Step['step']> = Extract<Step, { step: K }>;

/** What lasts is told again after this time. */
export const alertQuietMs = 15 * 60_000;
