/**
 * The sign record: who may sign (design, section 4). One DynamoDB item per consensus key, beside it one for the beat.
 *
 * Each change is data: what it sets, and the condition under which alone it may happen. `sign-record-dynamodb.ts`
 * writes it as an UpdateItem; `applyUpdate` here runs it on an item in memory with the same meaning, so that
 * a simulator checks the very conditions that production sends.
 */

import * as z from 'zod';
import { type SignPosition, signStep } from './sign-position.ts';

export const signTableName = 'beam-sign';
/** The table's only key attribute: a string, `<chain id>/<consensus address>`, with `#beat/<recordId>` behind it for the beat. */
export const signTablePartitionKey = 'key';

export function signRecordKey(chainId: string, address: string): string {
  return `${chainId}/${address}`;
}
export function beatKey(recordKey: string, recordId: string): string {
  return `${recordKey}#beat/${recordId}`;
}

const count = z.number().int().nonnegative();

export const signRecord = z.object({
  key: z.string(),
  /** Random, made by enrolment: a record made again is another record. */
  recordId: z.string().min(8),
  /** Of the last claim; 0 before the first. */
  epoch: count,
  /** Thing name of the one that may sign; empty before the first claim. */
  holder: z.string(),
  /** Random, of the holder's signer process. */
  incarnation: z.string(),
  /** Commander's grant. Never below `epoch`. */
  grantEpoch: count,
  grantTo: z.string(),
  height: count,
  round: count,
  step: signStep,
  /** Base64 of the canonical sign bytes at the position; empty at a bare floor. */
  signBytes: z.string(),
  /** The vote's timestamp, `<seconds>.<nanoseconds, nine digits>`; empty for proposals and floors. */
  timestamp: z.string(),
  /** The last non-nil precommit: its height, `blockIdText`, and the epoch in which it was signed. */
  lockHeight: count,
  lockBlock: z.string(),
  lockEpoch: count,
  /** Random, of the request that wrote the position: a process that was fenced meanwhile knows its own write by it. */
  attempt: z.string(),
  /** ISO time of the seal, for a person who reads the record; missing before it. */
  sealedAt: z.string().optional(),
});
export type SignRecord = z.infer<typeof signRecord>;

export const beatItem = z.object({
  key: z.string(),
  recordId: z.string(),
  epoch: count,
  incarnation: z.string(),
  /** Rises with every beat. */
  beat: count,
  /** 1 where the holder lost its node and would rather not sign. */
  yielded: z.union([z.literal(0), z.literal(1)]),
});
export type BeatItem = z.infer<typeof beatItem>;

/** What rises with each beat of `epoch`: the holder's process and its count. Empty where that epoch has none: others' count for nothing. */
export function beatMark(beat: BeatItem | undefined, epoch: number): string {
  return beat?.epoch === epoch ? `${beat.incarnation}/${beat.beat}` : '';
}

type Value = string | number;
export type Condition =
  | { attribute: string; is: '=' | '<' | '<='; value: Value }
  | { absent: string }
  | { all: Condition[] }
  | { any: Condition[] };

/** One conditional write to one item. */
export interface ItemUpdate {
  key: string;
  set: Record<string, Value>;
  when: Condition;
}

const equal = (attribute: string, value: Value): Condition => ({ attribute, is: '=', value });
const below = (attribute: string, value: Value): Condition => ({ attribute, is: '<', value });

/** The record's position comes before `position`. */
function positionBelow({ height, round, step }: SignPosition): Condition {
  return {
    any: [
      below('height', height),
      { all: [equal('height', height), below('round', round)] },
      { all: [equal('height', height), equal('round', round), below('step', step)] },
    ],
  };
}

/** Whose writes count: this record, this epoch, this holder, this process. */
export interface Holding {
  recordId: string;
  epoch: number;
  holder: string;
  incarnation: string;
}

function held({ recordId, epoch, holder, incarnation }: Holding): Condition[] {
  return [
    equal('recordId', recordId),
    equal('epoch', epoch),
    equal('holder', holder),
    equal('incarnation', incarnation),
  ];
}

/** Enrolment: once per key. `floor` has no sign bytes, so nothing at it is ever signed. */
export function enrol(key: string, recordId: string, floor: SignPosition): ItemUpdate {
  return {
    key,
    set: {
      recordId,
      epoch: 0,
      holder: '',
      incarnation: '',
      grantEpoch: 0,
      grantTo: '',
      ...floor,
      signBytes: '',
      timestamp: '',
      lockHeight: 0,
      lockBlock: '',
      lockEpoch: 0,
      attempt: '',
    },
    when: { absent: 'recordId' },
  };
}

/**
 * Commander's grant of the epoch after `seen.grantEpoch`. Two grants at once decide once.
 * IAM lets Commander name `recordId`, `grantEpoch` and `grantTo` alone; `grantEpoch` is never below `epoch`.
 */
export function grant(
  key: string,
  seen: { recordId: string; grantEpoch: number },
  thing: string,
): ItemUpdate {
  return {
    key,
    set: { grantEpoch: seen.grantEpoch + 1, grantTo: thing },
    when: { all: [equal('recordId', seen.recordId), equal('grantEpoch', seen.grantEpoch)] },
  };
}

/**
 * The epoch of a sealed record: the highest that the schema admits. Whatever is granted afterwards, `epoch < e` holds for no
 * epoch that can be read, so nobody ever claims it; and a grant counts up from where it was, far below.
 */
export const sealedEpoch = Number.MAX_SAFE_INTEGER;
/** Holder of a sealed record. No thing's name has a '#', so no process takes itself for it. */
export const sealedHolder = '#sealed';

/** Either mark is enough: what looks sealed is never signed under. */
export function isSealed({ epoch, holder }: Pick<SignRecord, 'epoch' | 'holder'>): boolean {
  return epoch >= sealedEpoch || holder === sealedHolder;
}

/**
 * Ends a record for good, whoever holds it: no sign, renewal or claim succeeds any more, and no update takes it back. The
 * position stays, for the floor of whatever signs with the key next. An administrator's act, as enrolment is:
 * it alone names `sealedAt`, so IAM can keep it from the servers' roles.
 * @param token of this seal: whoever is in doubt about its write finds it again in `incarnation`
 */
export function seal(
  key: string,
  { recordId, token, at }: { recordId: string; token: string; at: string },
): ItemUpdate {
  return {
    key,
    set: { epoch: sealedEpoch, holder: sealedHolder, incarnation: token, sealedAt: at },
    when: { all: [equal('recordId', recordId), below('epoch', sealedEpoch)] },
  };
}

/** The granted one takes the right to sign. From this instant no write of the old holder succeeds. */
export function claim(key: string, { recordId, epoch, holder, incarnation }: Holding): ItemUpdate {
  // Above it comparisons are no longer exact, and a sealed record would not be the last one.
  if (!Number.isSafeInteger(epoch)) throw new RangeError(`${epoch} is no epoch`);
  return {
    key,
    set: { epoch, holder, incarnation },
    when: {
      all: [
        equal('recordId', recordId),
        equal('grantEpoch', epoch),
        equal('grantTo', holder),
        below('epoch', epoch),
      ],
    },
  };
}

/** A holder's process started again: it takes over from its own former incarnation. */
export function renewIncarnation(key: string, former: Holding, incarnation: string): ItemUpdate {
  return { key, set: { incarnation }, when: { all: held(former) } };
}

export interface SignEntry extends SignPosition {
  signBytes: string;
  timestamp: string;
  attempt: string;
  /** `blockIdText` of a vote's block, empty for nil; undefined for a proposal. */
  voteFor?: string | undefined;
}

/**
 * Reserves a position for one request's bytes. A non-nil precommit moves the lock with it.
 * The lock clause: a holder of a later epoch than the lock's, at the lock's height, votes for its block or nil.
 */
export function sign(key: string, holding: Holding, entry: SignEntry): ItemUpdate {
  const { height, round, step, signBytes, timestamp, attempt, voteFor } = entry;
  const locks = step === 3 && voteFor !== undefined && voteFor !== '';
  const lockKept: Condition[] = voteFor
    ? [
        {
          any: [
            below('lockHeight', height),
            equal('lockEpoch', holding.epoch),
            { all: [equal('lockHeight', height), equal('lockBlock', voteFor)] },
          ],
        },
      ]
    : [];
  return {
    key,
    set: {
      height,
      round,
      step,
      signBytes,
      timestamp,
      attempt,
      ...(locks ? { lockHeight: height, lockBlock: voteFor, lockEpoch: holding.epoch } : {}),
    },
    when: { all: [...held(holding), positionBelow(entry), ...lockKept] },
  };
}

/**
 * Raises the beat, or yields. An older epoch's never overwrites a later one's. The beat's key carries the
 * record's id, so that a record enrolled anew starts with a beat of its own.
 */
export function raiseBeat(recordKey: string, holding: Holding, beat: number, yielded: boolean): ItemUpdate {
  const { recordId, epoch, incarnation } = holding;
  return {
    key: beatKey(recordKey, recordId),
    set: { recordId, epoch, incarnation, beat, yielded: yielded ? 1 : 0 },
    when: { any: [{ absent: 'epoch' }, { attribute: 'epoch', is: '<=', value: epoch }] },
  };
}

function holds(condition: Condition, item: Readonly<Record<string, unknown>> | undefined): boolean {
  if ('all' in condition) return condition.all.every((part) => holds(part, item));
  if ('any' in condition) return condition.any.some((part) => holds(part, item));
  if ('absent' in condition) return item?.[condition.absent] === undefined;
  const { attribute, is, value } = condition;
  const found = item?.[attribute];
  // As DynamoDB: an attribute that is missing, or of another type, meets no comparison.
  if (typeof found !== typeof value) return false;
  const actual = found as Value;
  return is === '=' ? actual === value : is === '<' ? actual < value : actual <= value;
}

/** @returns the item after the update, or undefined where its condition does not hold. */
export function applyUpdate<T extends Record<string, unknown>>(
  item: T | undefined,
  update: ItemUpdate,
): Record<string, unknown> | undefined {
  if (!holds(update.when, item)) return undefined;
  return { ...item, [signTablePartitionKey]: update.key, ...update.set };
}
