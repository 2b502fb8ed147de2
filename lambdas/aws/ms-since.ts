/** The clocks of two functions' hosts may differ by this much. */
export const clocksApartMsMax = 5_000;

/**
 * ms between a time that Commander noted and now. A time ahead of ours was noted by a clock that has been set back since: how long
 * ago nobody knows, and a wait must not last as long as that clock was ahead, so it counts as over (`Infinity`).
 */
export function msSince(at: number, now: number): number {
  const since = now - at;
  return since < -clocksApartMsMax ? Number.POSITIVE_INFINITY : Math.max(0, since);
}
