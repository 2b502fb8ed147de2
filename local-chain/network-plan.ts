/**
 * What the simulated validators do next, as a pure function of what is in the network's folder and of the time.
 * Every process computes it and whoever writes first wins, so the chain goes on while a single process runs.
 */

/** What became of a round: its proposal, or none in time. Only one of the two can be written. */
export type RoundOutcome = { proposedAt: number } | { failedAt: number };

export interface HeightView {
  /** ms; when the pause after the last block is over. */
  startAt: number;
  /** ms; since when this process watches without a break: nobody is blamed for what it could not see. */
  watchingSince: number;
  rounds: readonly RoundOutcome[];
  /** Whether our validator's turn to propose is in `round`. */
  ourTurn(round: number): boolean;
}

export interface NetworkTiming {
  /** From proposal to commit: two exchanges of votes between the others. */
  votingMs: number;
  /** From a commit to the next height: CometBFT's `timeout_commit`. Late precommits still count in it. */
  pauseMs: number;
  /** How long a round waits for its proposal. */
  proposeTimeoutMs: number;
}

export type NetworkStep =
  | { act: 'propose' | 'fail' | 'decide'; round: number }
  | { act: 'wait'; untilMs: number };

/** A lost proposal costs the chain three seconds in all, as CometBFT's default. */
const lostProposalMs = 3_000;

export function timingOf(blockMs: number): NetworkTiming {
  const votingMs = Math.min(250, Math.max(50, blockMs / 10));
  return { votingMs, pauseMs: blockMs - votingMs, proposeTimeoutMs: lostProposalMs - votingMs };
}

export function planNetwork(view: HeightView, timing: NetworkTiming, nowMs: number): NetworkStep {
  const last = view.rounds.at(-1);
  if (last && 'proposedAt' in last) {
    const round = view.rounds.length - 1;
    return at(last.proposedAt + timing.votingMs, { act: 'decide', round }, nowMs);
  }
  const round = view.rounds.length;
  // The nil votes of a failed round take as long as any votes.
  const roundStart = last ? last.failedAt + timing.votingMs : view.startAt;
  if (!view.ourTurn(round)) return at(roundStart, { act: 'propose', round }, nowMs);
  const due = Math.max(roundStart, view.watchingSince) + timing.proposeTimeoutMs;
  return at(due, { act: 'fail', round }, nowMs);
}

function at(dueMs: number, step: NetworkStep, nowMs: number): NetworkStep {
  return nowMs >= dueMs ? step : { act: 'wait', untilMs: dueMs };
}
