/** Whether the holder still beats, by this machine's own clock and its own successful reads. Pure. */

import type { BeatItem } from '../../protocol/sign-record.ts';

export interface BeatWatch {
  epoch: number;
  /** What rises: the holder's process and its count. Other epochs' beats count for nothing. */
  mark: string;
  yielded: boolean;
  /** When this mark was first read. */
  sinceMs: number;
  /** When the last successful read was asked. */
  readMs: number;
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
  const mark = current ? `${current.incarnation}/${current.beat}` : '';
  const yielded = current?.yielded === 1;
  if (before?.epoch !== epoch || before.mark !== mark) {
    return { epoch, mark, yielded, sinceMs: nowMs, readMs: nowMs, readsStill: 0 };
  }
  return { ...before, yielded, readMs: askedMs, readsStill: before.readsStill + 1 };
}

export function stillMs({ sinceMs, readMs }: BeatWatch): number {
  return Math.max(0, readMs - sinceMs);
}

/** Three reads over T without a rise, or the holder says itself that it would rather not. */
export function isLost(watch: BeatWatch, periodMs: number): boolean {
  return watch.yielded || (watch.readsStill >= readsLostMin && stillMs(watch) >= periodMs);
}

/** Late enough for a proposal to be worth holding: two beats are missing. */
export function isLate(watch: BeatWatch, periodMs: number, nowMs: number): boolean {
  return watch.yielded || nowMs - watch.sinceMs > (periodMs * 2) / 3;
}
