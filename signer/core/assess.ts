/** What a reading of the record means for this machine. Pure. */

import { comparePositions } from '../../protocol/sign-position.ts';
import { type Holding, isSealed, type SignRecord, signRecord } from '../../protocol/sign-record.ts';
import { Refusal } from '../refusal.ts';
import { type HeldPosition, isOurIncarnation, type SignerState } from './state.ts';

export function heldIn({ height, round, step, signBytes, timestamp }: SignRecord): HeldPosition {
  return { height, round, step, signBytes, timestamp };
}

const enrolAnew =
  'find out who restored or changed it; then move the signer state away on every server, remove the record by hand, and enrol anew';

/**
 * Invariant 4: the record must be there, be the one that was enrolled, and be nowhere behind what this machine
 * knew when the reading began.
 * @param known the state as it was when the reading was sent
 * @throws Refusal
 */
export function readRecord(item: Record<string, unknown> | undefined, known: SignerState): SignRecord {
  const { record: pin, seen, epochSeen } = known;
  if (item === undefined) {
    throw new Refusal(
      'record-missing',
      `the sign record ${pin?.key} is not in table ${pin?.table}; check table and region; if it was deleted, ${enrolAnew}`,
      { held: seen },
    );
  }
  const parsed = signRecord.safeParse(item);
  if (!parsed.success) {
    const places = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ');
    throw new Refusal(
      'record-unreadable',
      `the sign record ${pin?.key} can't be read (wrong: ${places}); ${enrolAnew}`,
      {
        held: seen,
      },
    );
  }
  const record = parsed.data;
  if (record.recordId !== pin?.recordId || record.key !== pin.key) {
    throw new Refusal(
      'record-replaced',
      `the sign record ${pin?.key} is another one (record id ${record.recordId}, enrolled with ${pin?.recordId}): it was restored or enrolled again; if that was meant, move the signer state away on every server and join it`,
      { asked: record, held: seen },
    );
  }
  if (isSealed(record)) throw sealed(sealedRecord(record));
  if (record.epoch < epochSeen || comparePositions(record, seen) < 0) {
    throw new Refusal(
      'record-went-back',
      `the sign record went back: it is at epoch ${record.epoch}, this machine has seen epoch ${epochSeen}; ${enrolAnew}`,
      { asked: record, held: seen },
    );
  }
  if (comparePositions(record, seen) === 0 && record.signBytes !== seen.signBytes) {
    throw new Refusal(
      'record-conflict',
      `the sign record holds other bytes for a position than this machine's state; ${enrolAnew}`,
      { asked: record, held: seen },
    );
  }
  return record;
}

/** The key was given up to another tool. @param what was sealed, and when */
export function sealed(what: string): Refusal {
  return new Refusal(
    'sealed',
    `${what}: its key was exported, or the record was restored from a backup, and no signer of Beam signs under it any more; to come back, stop whatever else signs with the key for ever, remove the record by hand, move the signer state away, and enrol anew (beam signer import, or beam signer enrol --import with the newest state)`,
  );
}

export function sealedRecord({ key, sealedAt }: SignRecord): string {
  return `the sign record ${key} was sealed${sealedAt ? ` at ${sealedAt}` : ''}`;
}

/**
 * Who holds the record, seen from this process: `held` by this very process, by a `former` one of this state folder,
 * by a process of this server's name that this folder knows nothing of (a `clone`, or a restored image), or by another.
 */
export type Standing = 'held' | 'former' | 'clone' | 'other';

export function standing(
  record: SignRecord,
  { thing, incarnation, state }: { thing: string; incarnation: string; state: SignerState },
): Standing {
  if (record.holder !== thing || record.epoch === 0) return 'other';
  if (record.incarnation === incarnation) return 'held';
  return isOurIncarnation(state, record.incarnation) ? 'former' : 'clone';
}

export function isGranted(record: SignRecord, thing: string): boolean {
  return record.grantTo === thing && record.grantEpoch > record.epoch;
}

export function holdingIn({ recordId, epoch, holder, incarnation }: SignRecord): Holding {
  return { recordId, epoch, holder, incarnation };
}
