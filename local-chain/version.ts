/** What this binary says it is; it must never pass for a chain's. */
export const standInVersion = 'stand-in-0.1.0';
export const standInSentence = "Beam's stand-in for gaiad: no real chain, for machines without one";
