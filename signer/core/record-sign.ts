/** Reserves one request's position in the record, then on the own disk. What comes back may be signed. */

import { comparePositions } from '../../protocol/sign-position.ts';
import type { Holding, SignRecord } from '../../protocol/sign-record.ts';
import { sign } from '../../protocol/sign-record.ts';
import type { JournalEntry } from '../../protocol/signer-control.ts';
import { Refusal } from '../refusal.ts';
import { heldIn } from './assess.ts';
import { checkOrder, checkSameAct, positionBelow } from './checks.ts';
import { type Meter, timed } from './meter.ts';
import type { Clock, Random } from './ports.ts';
import type { RecordView } from './record-view.ts';
import type { Releaser } from './release.ts';
import { heldFor, isSameAct, type SignRequest } from './request.ts';
import { type HeldPosition, withOwn } from './state.ts';
import type { StateKeeper } from './state-keeper.ts';

/** A write that takes longer is in doubt. With a read and a second try it stays within the 2.5 s of a request. */
export const writeMsMax = 1000;
export const readMsMax = 600;
/** A try is not begun with less time than this left. */
export const tryMsMin = 100;
const triesMax = 2;

export interface Reserving {
  view: RecordView;
  keeper: StateKeeper;
  clock: Clock;
  random: Random;
  /** What the writes are conditional on. */
  holding: Holding;
  /** By `clock`: no question to the table outlasts it. */
  deadlineMs: number;
  meter: Meter | undefined;
  releaser: Pick<Releaser, 'entryOf' | 'settle'>;
}

/** A position with its bytes, which record and disk hold, and what the journal will say of it, which the disk holds. */
export interface Reserved {
  held: HeldPosition;
  entry: JournalEntry;
}

/**
 * Resolves once the record and then the local file hold the position with the bytes that are returned.
 * Its caller runs one at a time.
 * @throws Refusal
 */
export async function reserve(request: SignRequest, context: Reserving): Promise<Reserved> {
  const { keeper, clock, meter, holding, releaser } = context;
  const wanted = heldFor(request);
  const recording = timed(meter, clock, 'record', () => reserveInRecord(request, wanted, context));
  // Made while the table works.
  const wantedEntry = releaser.entryOf(request, wanted, holding.epoch);
  const held = await recording;
  const entry = held === wanted ? wantedEntry : releaser.entryOf(request, held, holding.epoch);
  // The state has room for one entry: the one before must be in the journal.
  await releaser.settle();
  await timed(meter, clock, 'fsync', () => keepOwn(keeper, held, entry));
  return { held, entry };
}

async function reserveInRecord(
  request: SignRequest,
  wanted: HeldPosition,
  context: Reserving,
): Promise<HeldPosition> {
  const { view, keeper, random, holding } = context;
  const attempt = random.hex(8);
  let order = checkOrder(request, keeper.state.seen);
  for (let attempts = 0; attempts < triesMax; attempts++) {
    // Who learnt meanwhile that it is fenced, or that the record can't be trusted, writes no more: a record that was put back would take it.
    const knowsBetter = view.trouble !== undefined || keeper.state.epochSeen > holding.epoch;
    if (order === 'above' && !knowsBetter) {
      const entry = { ...request.position, ...wanted, attempt };
      const voteFor = request.kind === 'proposal' ? undefined : request.blockId;
      const writing = await view.write(
        sign(view.key, holding, { ...entry, voteFor }),
        timeLeft(context, writeMsMax, request),
      );
      if (writing.kind === 'done' && isAt(writing.record, wanted)) return wanted;
    }
    // At the record's own position, or in doubt, or refused: the record itself must tell.
    const reading = await view.read(timeLeft(context, readMsMax, request));
    if (reading.kind === 'trouble') throw reading.trouble;
    if (reading.kind === 'record') {
      const held = heldIn(reading.record);
      const recorded = checkRecorded(request, held);
      const ours = holds(holding, reading.record);
      // Fenced meanwhile, this process may release what it recorded itself before that, not what the next holder did.
      if (recorded && (ours || reading.record.attempt === attempt)) return recorded;
      if (!ours) throw fenced(request, reading.record, holding);
      if (!recorded) checkLock(request, reading.record);
    }
    order = checkOrder(request, keeper.state.seen);
  }
  throw new Refusal(
    'doubt',
    'the sign record could not be written, or not be read back; the network or DynamoDB is slow or away, and signing goes on by itself once they answer',
    { asked: request.position, held: keeper.state.seen },
  );
}

/** @returns what the record holds at the request's position, where it is the same act; undefined where it is below. */
function checkRecorded(request: SignRequest, held: HeldPosition): HeldPosition | undefined {
  const order = comparePositions(held, request.position);
  if (order > 0) throw positionBelow(request, held);
  if (order < 0) return undefined;
  checkSameAct(request, held, isSameAct(request, held));
  return held;
}

function holds({ epoch, holder, incarnation }: Holding, record: SignRecord): boolean {
  return record.epoch === epoch && record.holder === holder && record.incarnation === incarnation;
}

function fenced({ position: asked }: SignRequest, record: SignRecord, { epoch }: Holding): Refusal {
  return new Refusal(
    'fenced',
    `${record.holder || 'nobody'} holds the right to sign in epoch ${record.epoch}; this server held epoch ${epoch} and stands by now`,
    { asked, held: record },
  );
}

/** The record is below the request, though a write was tried. @throws Refusal where the lock is why */
function checkLock(request: SignRequest, record: SignRecord): void {
  const { position } = request;
  const votesElsewhere = request.kind !== 'proposal' && !['', record.lockBlock].includes(request.blockId);
  if (votesElsewhere && record.lockHeight === position.height && record.lockEpoch !== record.epoch) {
    throw new Refusal(
      'locked',
      `the holder before precommitted block ${record.lockBlock} at this height; until the next height this server votes for that one or nil`,
      { asked: position, held: record },
    );
  }
}

/** The bytes too: a table that answers with another item has not done what it was asked. */
function isAt(record: SignRecord, wanted: HeldPosition): boolean {
  return comparePositions(record, wanted) === 0 && record.signBytes === wanted.signBytes;
}

async function keepOwn(keeper: StateKeeper, held: HeldPosition, entry: JournalEntry): Promise<void> {
  keeper.change((state) => withOwn(state, held, entry));
  await keeper.save();
}

function timeLeft({ clock, deadlineMs }: Reserving, most: number, { position: asked }: SignRequest): number {
  const left = deadlineMs - clock.now();
  if (left < tryMsMin) {
    throw new Refusal('too-late', 'the time of this request is over; the node asks again', { asked });
  }
  return Math.min(most, left);
}
