/** Whether the holder still beats, by this machine's own clock and its own successful reads. Pure. */

import { type BeatItem, beatMark } from '../../protocol/sign-record.ts';

export interface BeatWatch {
  epoch: number;
  /** `beatMark`. */
  mark: string;
  yielded: boolean;
  /** When this mark was first read. */
  sinceMs: number;
  /** When the last successful read was asked. */
  readMs: number;
  /** The same, of the first read too. */
  askedMs: number;
  /** The holder raised the beat later than this; undefined: no rise was seen yet. */
  roseAfterMs: number | undefined;
  /** Successful reads of the same mark after the first. */
  readsStill: number;
}

export const readsLostMin = 3;

/**
 * @param epoch the record's
 * @param beat as read; undefined where there is none
 * @param askedMs when the read was sent: an answer says nothing of later
 */
export function watchBeat(
  before: BeatWatch | undefined,
  epoch: number,
  beat: BeatItem | undefined,
  askedMs: number,
  nowMs: number,
): BeatWatch {
  const current = beat?.epoch === epoch ? beat : undefined;
  const mark = beatMark(beat, epoch);
  const yielded = current?.yielded === 1;
  if (before?.epoch !== epoch || before.mark !== mark) {
    const roseAfterMs = before?.epoch === epoch && mark !== '' ? before.askedMs : undefined;
    return { epoch, mark, yielded, sinceMs: nowMs, readMs: nowMs, askedMs, roseAfterMs, readsStill: 0 };
  }
  return { ...before, yielded, readMs: askedMs, askedMs, readsStill: before.readsStill + 1 };
}

export function stillMs({ sinceMs, readMs }: BeatWatch): number {
  return Math.max(0, readMs - sinceMs);
}

/** Three reads over T without a rise, or the holder says itself that it would rather not. */
export function isLost(watch: BeatWatch, periodMs: number): boolean {
  return watch.yielded || (watch.readsStill >= readsLostMin && stillMs(watch) >= periodMs);
}

/** The holder lived, and its node asked, later than `ms`. */
export function rosePast({ roseAfterMs, yielded }: BeatWatch, ms: number): boolean {
  return !yielded && roseAfterMs !== undefined && roseAfterMs >= ms;
}
