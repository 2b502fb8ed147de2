/** Time as a parameter: cores and their tests never look at a clock themselves. */
export interface Clock {
  /** ms; only differences mean something. */
  monotonicMs(): number;
  /** ms since 1970. */
  wallMs(): number;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};
