/**
 * What a signer keeps on its own disk: the pins of its enrolment, which nothing but a new enrolment changes, and
 * high-water marks, which only rise.
 */

import * as z from 'zod';
import { comparePositions, type SignPosition, signPosition } from '../../protocol/sign-position.ts';
import { type JournalEntry, journalEntry } from '../../protocol/signer-control.ts';

/** A position with what was signed at it; `signBytes` (base64) and `timestamp` are empty at a bare floor. */
export const heldPosition = z.object({
  ...signPosition.shape,
  signBytes: z.string().max(4096),
  timestamp: z.string().max(64),
});
export type HeldPosition = z.infer<typeof heldPosition>;

export const nothingHeld: HeldPosition = { height: 0, round: 0, step: 0, signBytes: '', timestamp: '' };

/** Bound of `pendingIncarnations`: one a start of the process. */
export const pendingIncarnationsMax = 32;

export const signerState = z.strictObject({
  version: z.literal(1),
  guard: z.enum(['record', 'local']),
  /** `pending`: enrolment was begun, and the record may not be there yet. Nothing is signed. */
  enrolment: z.enum(['pending', 'done']),
  record: z
    .strictObject({ table: z.string().min(3), key: z.string().min(1), recordId: z.string().min(8) })
    .optional(),
  /** Base64 of the Ed25519 key. */
  publicKey: z.string().min(1),
  chainId: z.string().min(1),
  thing: z.string().min(1),
  /** Digest of the machine's id; empty where the machine has none. */
  machine: z.string(),
  /** The highest epoch and position ever seen in the record (under the local guard: ever reserved). */
  epochSeen: z.number().int().nonnegative(),
  seen: heldPosition,
  /** The last position that this machine reserved for a signature of its own. */
  own: heldPosition,
  /** The journal's line of `own`: on disk with it before the signature leaves, in the journal behind it (journal-keeper.ts). */
  lastEntry: journalEntry.optional(),
  /** The incarnation that the record was last seen to hold for us; empty before the first. */
  incarnation: z.string(),
  /** Each on disk before it was sent anywhere; newest last. A write in doubt may bring any of them to the record. */
  pendingIncarnations: z.array(z.string()).max(pendingIncarnationsMax),
  /** Found once, and only a new enrolment lifts it. */
  bar: z
    .strictObject({
      code: z.enum(['record-went-back', 'record-conflict', 'foreign-signer', 'sealed']),
      reason: z.string(),
      at: z.string(),
      /** Of the export that sealed this state, under the local guard. */
      token: z.string().optional(),
    })
    .optional(),
});
export type SignerState = z.infer<typeof signerState>;
export type Bar = NonNullable<SignerState['bar']>;

export interface Enrolment {
  guard: 'record' | 'local';
  record?: { table: string; key: string; recordId: string };
  publicKey: string;
  chainId: string;
  thing: string;
  machine: string;
  floor: SignPosition;
}

export function enrolledState({ floor, ...pins }: Enrolment, enrolment: 'pending' | 'done'): SignerState {
  const { height, round, step } = floor;
  return {
    version: 1,
    ...pins,
    enrolment,
    epochSeen: 0,
    seen: { ...nothingHeld, height, round, step },
    own: nothingHeld,
    incarnation: '',
    pendingIncarnations: [],
  };
}

/** The state after the record was seen so. Never lowers anything. */
export function withSeen(state: SignerState, epoch: number, position: HeldPosition): SignerState {
  return {
    ...state,
    epochSeen: Math.max(state.epochSeen, epoch),
    seen: comparePositions(position, state.seen) > 0 ? position : state.seen,
  };
}

/** The state after this machine reserved a position for itself. @param lastEntry what the journal is to say of it */
export function withOwn(state: SignerState, position: HeldPosition, lastEntry: JournalEntry): SignerState {
  const own = comparePositions(position, state.own) >= 0 ? position : state.own;
  return { ...withSeen(state, 0, position), own, lastEntry };
}

export function withPendingIncarnation(state: SignerState, incarnation: string): SignerState {
  return {
    ...state,
    pendingIncarnations: [...state.pendingIncarnations, incarnation].slice(-pendingIncarnationsMax),
  };
}

export function isOurIncarnation(state: SignerState, incarnation: string): boolean {
  return (
    incarnation !== '' &&
    (state.incarnation === incarnation || state.pendingIncarnations.includes(incarnation))
  );
}
