/** The roles of a signer under the record, and how each is told. Pure. */

import type { SignRecord } from '../../protocol/sign-record.ts';
import { Refusal, type RefusalCode } from '../refusal.ts';
import type { GuardStatus } from './guard.ts';
import type { SignRequest } from './request.ts';
import type { SignerState } from './state.ts';

export type Role = 'standby' | 'claiming' | 'active' | 'fenced' | 'refusing';

const codes: Record<Role, RefusalCode> = {
  standby: 'standby',
  claiming: 'claiming',
  active: 'stopping',
  fenced: 'fenced',
  refusing: 'doubt',
};

/** Why a server in this role does not sign. */
export function roleRefusal(
  role: Role,
  { position: asked }: SignRequest,
  holder: string,
  reason: string | undefined,
): Refusal {
  const texts: Record<Role, string> = {
    standby: `this server stands by; ${holder} holds the right to sign`,
    claiming: `not active yet: ${reason ?? 'the claim is under way'}`,
    active: 'the signer is stopping',
    fenced: `this server signs no more: ${holder} took over`,
    refusing: reason ?? 'the signer refuses',
  };
  return new Refusal(codes[role], texts[role], { asked });
}

/** Invariant 3's case of a server restored from an image, or cloned while it ran. */
export function cloned(record: SignRecord): Refusal {
  return new Refusal(
    'other-incarnation',
    `another process under this server's name (${record.holder}) holds the record, and this signer state knows nothing of it: a clone, or a restored image; stop the other one, then have the role granted again`,
    { held: record },
  );
}

export function recordStatus(of: {
  role: Role;
  reason: string | undefined;
  /** Why it refuses. */
  refusal: Refusal | undefined;
  /** Of the claim that this process holds. */
  epoch: number | undefined;
  record: SignRecord | undefined;
  ageMs: number;
  state: SignerState;
  beat: GuardStatus['beat'];
}): GuardStatus {
  const { role, reason, refusal, epoch, record, ageMs, state, beat } = of;
  const { height, round, step } = state.own;
  return {
    state: role,
    guard: 'record',
    epoch: epoch ?? record?.epoch ?? state.epochSeen,
    height: state.seen.height,
    ...(reason === undefined ? {} : { reason: reason.slice(0, 300) }),
    ...(refusal ? { code: refusal.code } : {}),
    ...(state.record ? { recordKey: state.record.key, recordId: state.record.recordId } : {}),
    ...(record
      ? {
          record: {
            epoch: record.epoch,
            holder: record.holder,
            grantEpoch: record.grantEpoch,
            grantTo: record.grantTo,
            position: { height: record.height, round: record.round, step: record.step },
            ageMs: Math.round(ageMs),
          },
        }
      : {}),
    ...(beat ? { beat } : {}),
    released: { height, round, step },
  };
}
