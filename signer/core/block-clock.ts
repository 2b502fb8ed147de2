/** The chain's pace, as this signer sees heights pass. Pure. */

export interface BlockClock {
  height: number;
  atMs: number;
  /** ms between heights that followed each other, the newest last. */
  gapsMs: readonly number[];
}

/** Gaps kept: their median is the block time. */
export const gapsMax = 11;

/** Heights pass faster only on a node that catches up. */
export const gapMsMin = 150;

export const noBlocks: BlockClock = { height: 0, atMs: 0, gapsMs: [] };

/** A height this far below the last one shows that the last one was wrong: requests bring heights too. */
const heightsBackMax = 5;

/** The clock after `height` was first seen committed at `nowMs`. A height that does not follow makes no gap. */
export function withHeight(clock: BlockClock, height: number, nowMs: number): BlockClock {
  if (height <= clock.height && height >= clock.height - heightsBackMax) return clock;
  const follows = clock.height > 0 && height === clock.height + 1;
  const gapMs = nowMs - clock.atMs;
  const gapsMs = follows && gapMs >= gapMsMin ? [...clock.gapsMs, gapMs].slice(-gapsMax) : clock.gapsMs;
  return { height, atMs: nowMs, gapsMs };
}

/** @returns the median in ms, undefined before the first gap. */
export function blockMs({ gapsMs }: BlockClock): number | undefined {
  return [...gapsMs].sort((a, b) => a - b)[Math.floor(gapsMs.length / 2)];
}
