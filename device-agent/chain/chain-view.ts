/** What the node beside us shows of the chain and of our validator's signatures in it: pure. */

/** Of the intervals whose median is the block time. */
const intervalsMax = 21;
/** Heights of which `missed` is counted in health messages. */
export const recentHeights = 100;

export interface CommitSeen {
  height: number;
  /** The header's time, ms since 1970. */
  blockTimeMs: number;
  /** Monotonic ms at which the node was seen to have it. */
  seenMs: number;
}

export interface ChainView {
  /** The node's last committed height; 0 before the first. */
  height: number;
  /** Monotonic ms of its commit, as seen; undefined: no commit seen since the pilot started. */
  committedAtMs: number | undefined;
  /** The header's time of `height`, ms since 1970. */
  blockTimeMs: number | undefined;
  /** Seconds from block to block, the latest last. */
  intervals: readonly number[];
  /** Of the last blocks, the latest last. */
  commits: readonly CommitSeen[];
  /** Signed or missed, per height from `countedTo` back, the latest last. */
  recent: readonly boolean[];
  /** The last height whose final commit was looked at. */
  countedTo: number;
  missedTotal: number;
  lastSignedHeight: number | undefined;
}

export const initialChainView: ChainView = {
  height: 0,
  committedAtMs: undefined,
  blockTimeMs: undefined,
  intervals: [],
  commits: [],
  recent: [],
  countedTo: 0,
  missedTotal: 0,
  lastSignedHeight: undefined,
};

/** @param live false while the node catches up: what it commits then says nothing of the chain's pace. */
export function committed(
  view: ChainView,
  block: { height: number; blockTimeMs: number },
  live: boolean,
  now: { monotonicMs: number; wallMs: number },
): ChainView {
  const { height, blockTimeMs } = block;
  // A node that was rolled back or made anew starts lower: believe it.
  if (height === view.height) return view;
  const heights = height - view.height;
  const seconds =
    live && view.blockTimeMs !== undefined && heights > 0 && heights <= intervalsMax
      ? (blockTimeMs - view.blockTimeMs) / 1000 / heights
      : undefined;
  const intervals =
    seconds !== undefined && Number.isFinite(seconds) && seconds > 0
      ? [...view.intervals, seconds].slice(-intervalsMax)
      : view.intervals;
  // The first one seen may be old: a chain that stands still must not look alive to a pilot that has just started.
  const ageMs = view.height === 0 ? Math.max(0, now.wallMs - blockTimeMs) : 0;
  const before = heights > 0 ? view.commits : [];
  const commits = [...before, { height, blockTimeMs, seenMs: now.monotonicMs }].slice(-intervalsMax);
  return { ...view, height, committedAtMs: now.monotonicMs - ageMs, blockTimeMs, intervals, commits };
}

/** The final commit of `height` was looked at. Heights come in order; one that was counted is not counted again. */
export function counted(view: ChainView, height: number, signed: boolean): ChainView {
  if (height <= view.countedTo) return view;
  return {
    ...view,
    countedTo: height,
    recent: [...view.recent, signed].slice(-recentHeights),
    missedTotal: view.missedTotal + (signed ? 0 : 1),
    lastSignedHeight: signed ? height : view.lastSignedHeight,
  };
}

/**
 * The chain's height at a moment, in hindsight: a node that was behind then got blocks later than one that was not,
 * and the headers' times tell by how much. No wall clock of ours counts in it.
 *
 * @param atMs monotonic
 * @returns 0 where none of these blocks is that old
 */
export function heightAt(commits: readonly CommitSeen[], atMs: number): number {
  const delayMs = Math.min(...commits.map(({ blockTimeMs, seenMs }) => seenMs - blockTimeMs));
  const made = commits.filter(({ blockTimeMs }) => blockTimeMs + delayMs <= atMs);
  return made.at(-1)?.height ?? 0;
}

export function blockSeconds({ intervals }: ChainView): number | undefined {
  if (intervals.length === 0) return undefined;
  const sorted = [...intervals].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

/** Commits without our signature, in a row, up to the last one counted. */
export function missedInRow({ recent }: ChainView): number {
  const signedAt = recent.lastIndexOf(true);
  return recent.length - 1 - signedAt;
}

export function missedRecently({ recent }: ChainView): { missed: number; of: number } {
  return { missed: recent.filter((signed) => !signed).length, of: recent.length };
}
