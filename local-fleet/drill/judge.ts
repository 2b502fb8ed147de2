/** What a drill measured, and whether it is what the table of faults promises (docs: failover). Pure. */

export const faults = ['none', 'gaiad', 'signer', 'pilot', 'host', 'freeze'] as const;
export type Fault = (typeof faults)[number];

export interface Round {
  fault: Fault;
  /** Measured median, from block to block. */
  blockSeconds: number;
  /** Heights from the fault to the recovery whose commit lacks our signature for the block. */
  missedHeights: number[];
  /** From the fault to the arrival of the first commit with a signature that we made after it; undefined: none came. */
  secondsWithoutSignature: number | undefined;
  /** The longest time between two of our signatures on the chain, from the last one before the fault on. */
  gapSeconds: number;
  epochBefore: number;
  epochAfter: number;
  holderBefore: string;
  holderAfter: string;
  /** Things that call themselves active once all is quiet again. */
  activeAtEnd: string[];
  /** Positions with two block ids in the signers' journals, since the fleet began. */
  conflicts: number;
  /** Double votes of our key in the chain's evidence, since the fleet began. */
  evidence: number;
  /** Fault `pilot`: gaiad and the signer beside it ran on as the same processes. */
  restartedBesidePilot: string[];
  /** Fault `freeze`: what the woken signer released beyond the record's position when it was frozen. */
  releasedAfterWake: number;
  /** What was still not as before the fault when waiting ended; empty: all recovered. */
  notRecovered: string[];
}

/** A signature of ours is in a commit again within this and one block (issue's bound for every fault). */
export const secondsWithoutSignatureMax = 5;
/** From this block time on, a takeover costs at most one block. */
export const slowBlockSeconds = 6;
/** A chain's measured block time strays a little from the one that was asked for. */
const slowBlockTolerance = 0.9;

/** @returns each promise that was not kept, as a sentence; empty: the round is good. */
export function judgeRound(round: Round): string[] {
  const broken: string[] = [];
  const { fault, missedHeights, secondsWithoutSignature: seconds } = round;
  if (round.conflicts > 0) broken.push(`${round.conflicts} positions were signed twice, differently`);
  if (round.evidence > 0) broken.push(`the chain holds ${round.evidence} pieces of evidence against our key`);
  if (fault === 'none' || fault === 'pilot') {
    if (missedHeights.length > 0) broken.push(`missed ${heights(missedHeights)}; none may be`);
  } else if (round.blockSeconds >= slowBlockSeconds * slowBlockTolerance && missedHeights.length > 1) {
    broken.push(`missed ${heights(missedHeights)}; at slow blocks 1 may be`);
  }
  const secondsMax = secondsWithoutSignatureMax + round.blockSeconds;
  if (seconds === undefined) broken.push('no signature of ours came into a commit again');
  else if (seconds > secondsMax) {
    broken.push(`${seconds.toFixed(2)} s without a signature; ${secondsMax.toFixed(2)} s are allowed`);
  }
  broken.push(...judgeRoles(round));
  if (round.restartedBesidePilot.length > 0) {
    broken.push(`${round.restartedBesidePilot.join(' and ')} did not run on while the pilot was gone`);
  }
  if (round.releasedAfterWake > 0) {
    broken.push(
      `the woken signer released ${round.releasedAfterWake} signatures that were not recorded before`,
    );
  }
  broken.push(...round.notRecovered);
  return broken;
}

function judgeRoles(round: Round): string[] {
  const { fault, epochBefore, epochAfter, holderBefore, holderAfter, activeAtEnd } = round;
  const broken: string[] = [];
  const moves = epochAfter - epochBefore;
  const [least, most] = movesAllowed[fault];
  if (moves < least || moves > most) {
    const allowed = least === most ? `${least}` : `${least} or ${most}`;
    broken.push(`the epoch rose by ${moves}, from ${epochBefore}; ${allowed} was due`);
  }
  if (moves > 0 && holderAfter === holderBefore) broken.push(`${holderAfter} took over from itself`);
  if (activeAtEnd.length !== 1 || activeAtEnd[0] !== holderAfter) {
    broken.push(
      `at the end ${activeAtEnd.join(' and ') || 'nobody'} is active, the record's is ${holderAfter}`,
    );
  }
  return broken;
}

/** How often the right to sign may move: a signer or gaiad may be back before the standby is due. */
const movesAllowed: Record<Fault, [number, number]> = {
  none: [1, 1],
  gaiad: [0, 1],
  signer: [0, 1],
  pilot: [0, 0],
  host: [1, 1],
  freeze: [1, 1],
};

function heights(list: readonly number[]): string {
  return `${list.length} block${list.length === 1 ? '' : 's'} (${list.join(', ')})`;
}

/** A drill's last line. Null: the drill came to no round, or no signature of ours came again. */
export interface DrillReport {
  fault: Fault;
  ok: boolean;
  /** The most of any round. */
  missedBlocks: number | null;
  /** The longest of any round. */
  secondsWithoutSignature: number | null;
  epochBefore: number | null;
  epochAfter: number | null;
  conflicts: number | null;
  blockSeconds: number | null;
}

/** The worst of all rounds; `epochBefore` is the first's, `epochAfter` the last's. */
export function reportOf(fault: Fault, rounds: readonly Round[], timesWanted: number): DrillReport {
  const [first] = rounds;
  const last = rounds.at(-1);
  if (!first || !last) {
    const nothing = {
      missedBlocks: null,
      secondsWithoutSignature: null,
      epochBefore: null,
      epochAfter: null,
    };
    return { fault, ok: false, ...nothing, conflicts: null, blockSeconds: null };
  }
  const seconds = rounds.map(({ secondsWithoutSignature }) => secondsWithoutSignature);
  const blockSeconds = rounds.map((round) => round.blockSeconds).sort((a, b) => a - b);
  return {
    fault,
    ok: rounds.length === timesWanted && rounds.every((round) => judgeRound(round).length === 0),
    missedBlocks: Math.max(...rounds.map(({ missedHeights }) => missedHeights.length)),
    secondsWithoutSignature: seconds.includes(undefined)
      ? null
      : rounded(Math.max(...seconds.map((value) => value ?? 0))),
    epochBefore: first.epochBefore,
    epochAfter: last.epochAfter,
    conflicts: last.conflicts + last.evidence,
    blockSeconds: rounded(blockSeconds[Math.floor(blockSeconds.length / 2)] ?? 0),
  };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
