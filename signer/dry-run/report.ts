/** What a dry-run found: counts and the last particulars, bounded, kept across restarts; and what an operator should make of it. Pure. */

import * as z from 'zod';
import { boundsMs, emptyHistogram, percentileMs, withSample } from './histogram.ts';
import type { Commit, SignedKind } from './observed.ts';

/** Particulars that are kept; the counts have all. */
export const recentMax = 100;
/** Fewer commits say nothing. */
export const commitsMin = 20;
/** Commits of ours whose vote no event showed: more than this share, and the dry-run has not seen enough. */
const unseenShareMax = 0.05;
/** Of a block's time, for a write of the record at the 99th percentile; and at most what a write may take at all. */
const writeShareMax = 1 / 3;
const writeMsMax = 1000;

const count = z.number().int().nonnegative();
const byKind = z.object({ proposal: count, prevote: count, precommit: count });
const histogram = z.array(count).length(boundsMs.length);

const particular = z.object({
  at: z.string(),
  height: count,
  round: count,
  kind: z.enum(['proposal', 'prevote', 'precommit', 'beat']),
  what: z.enum([
    'would-refuse',
    'chain-has-what-would-be-refused',
    'chain-has-another-block',
    'chain-has-a-vote-not-seen',
    'signed-too-late',
    'not-signed',
    'would-ask-for-role',
  ]),
  detail: z.string().max(400),
});
export type Particular = z.infer<typeof particular>;

export const dryRunReport = z.strictObject({
  v: z.literal(1),
  thing: z.string(),
  chainId: z.string(),
  /** Of the present signer's key; empty while the node tells none. */
  address: z.string(),
  guard: z.enum(['record', 'local']),
  /** Of the dry-run's own record; empty under the local guard. */
  recordKey: z.string(),
  beganAt: z.string(),
  updatedAt: z.string(),
  /** Seconds in which a dry-run ran, of all that passed. */
  ranSeconds: z.number().nonnegative(),
  starts: count,
  /** The present signer's signatures, as the node's events showed them. */
  seen: byKind,
  wouldSign: byKind,
  /** By the refusal's code. */
  wouldRefuse: z.record(z.string(), count),
  recordWriteMs: histogram,
  signMs: histogram,
  blockSeconds: z.number().optional(),
  commits: z.object({
    /** Heights that the node took part in, compared with the chain. */
    compared: count,
    /** The chain has our precommit, and the guard would have signed it. */
    agreed: count,
    /** The chain has it, and the guard would have refused it. */
    refused: count,
    /** The chain has ours for another block than the event showed. */
    otherBlock: count,
    /** The chain has it, and no event showed it. */
    unseen: count,
    /** The chain lacks ours: signed, too late; not signed at all. */
    late: count,
    missed: count,
  }),
  /** How often a standby would have asked for the role; needless: the present signer signed on. */
  asks: z.object({ 'beat-still': count, yielded: count, 'commits-missed': count, needless: count }),
  /** Signatures seen that were not judged, as the guard was too slow for more. */
  unjudged: count,
  recent: z.array(particular).max(recentMax),
});
export type DryRunReport = z.infer<typeof dryRunReport>;

export function newReport(
  of: Pick<DryRunReport, 'thing' | 'chainId' | 'guard' | 'recordKey'>,
  at: string,
): DryRunReport {
  const none = { proposal: 0, prevote: 0, precommit: 0 };
  return {
    v: 1,
    ...of,
    address: '',
    beganAt: at,
    updatedAt: at,
    ranSeconds: 0,
    starts: 0,
    seen: none,
    wouldSign: none,
    wouldRefuse: {},
    recordWriteMs: [...emptyHistogram],
    signMs: [...emptyHistogram],
    commits: { compared: 0, agreed: 0, refused: 0, otherBlock: 0, unseen: 0, late: 0, missed: 0 },
    asks: { 'beat-still': 0, yielded: 0, 'commits-missed': 0, needless: 0 },
    unjudged: 0,
    recent: [],
  };
}

/** What the guard would have done with one signature of the present signer. */
export interface Judged {
  height: number;
  round: number;
  kind: SignedKind;
  /** Empty for nil. */
  blockId: string;
  /** Undefined: it would have signed. */
  refusal: { code: string; text: string } | undefined;
}

const withOne = <K extends string>(counts: Record<K, number>, key: K): Record<K, number> => ({
  ...counts,
  [key]: (counts[key] ?? 0) + 1,
});

export function withParticular(report: DryRunReport, one: Particular): DryRunReport {
  const short = { ...one, detail: one.detail.slice(0, 400) };
  return { ...report, recent: [...report.recent, short].slice(-recentMax) };
}

export function withJudged(report: DryRunReport, judged: Judged, signMs: number, at: string): DryRunReport {
  const { height, round, kind, refusal } = judged;
  const seen = {
    ...report,
    seen: withOne(report.seen, kind),
    signMs: [...withSample(report.signMs, signMs)],
  };
  if (!refusal) return { ...seen, wouldSign: withOne(seen.wouldSign, kind) };
  const refused = { ...seen, wouldRefuse: withOne(seen.wouldRefuse, refusal.code) };
  return withParticular(refused, { at, height, round, kind, what: 'would-refuse', detail: refusal.text });
}

export type CommitOutcome = 'agreed' | 'refused' | 'otherBlock' | 'unseen' | 'late' | 'missed';

/**
 * A height's final commit against what was judged at it.
 * @param address of the present signer's key
 */
export function compareCommit(
  { height, round, blockId, flags }: Commit,
  address: string,
  judged: readonly Judged[],
): { outcome: CommitOutcome; judged?: Judged } {
  const precommits = judged.filter((one) => one.height === height && one.kind === 'precommit');
  const flag = flags.get(address) ?? 1;
  if (flag === 1) {
    const late = precommits.find((one) => one.blockId !== '');
    return late ? { outcome: 'late', judged: late } : { outcome: 'missed' };
  }
  const here = precommits.filter((one) => one.round === round);
  const same = here.find((one) => one.blockId === (flag === 2 ? blockId : ''));
  if (same) return { outcome: same.refusal ? 'refused' : 'agreed', judged: same };
  const [other] = here;
  return other ? { outcome: 'otherBlock', judged: other } : { outcome: 'unseen' };
}

const whatOf: Record<Exclude<CommitOutcome, 'agreed'>, Particular['what']> = {
  refused: 'chain-has-what-would-be-refused',
  otherBlock: 'chain-has-another-block',
  unseen: 'chain-has-a-vote-not-seen',
  late: 'signed-too-late',
  missed: 'not-signed',
};

export function withCommit(
  report: DryRunReport,
  { height, round }: Commit,
  { outcome, judged }: ReturnType<typeof compareCommit>,
  at: string,
): DryRunReport {
  const { commits } = report;
  const counted = {
    ...report,
    commits: { ...commits, compared: commits.compared + 1, [outcome]: commits[outcome] + 1 },
  };
  if (outcome === 'agreed') return counted;
  const detail = judged?.refusal?.text ?? '';
  return withParticular(counted, { at, height, round, kind: 'precommit', what: whatOf[outcome], detail });
}

/** What stands against trusting the signer with the key; none: clean. Each with what to do. */
export function problemsOf(report: DryRunReport): string[] {
  const { commits, wouldRefuse, asks, recordWriteMs, blockSeconds, unjudged, address } = report;
  const problems: string[] = [];
  if (address === '') {
    problems.push(
      "the node tells no validator's key: dry-run compares with the signer of the node beside it, so run it where the validator signs now, and look at gaiad.rpc",
    );
  }
  if (commits.compared < commitsMin) {
    problems.push(
      `only ${commits.compared} commits were compared: let it run for ${commitsMin} at the very least, better for some days`,
    );
  }
  if (commits.otherBlock > 0) {
    problems.push(
      `${commits.otherBlock} times the chain has our signature for another block than the node showed: look whether a second signer has this key`,
    );
  }
  const refused = Object.entries(wouldRefuse);
  if (refused.length > 0) {
    const list = refused.map(([code, times]) => `${times} × ${code}`).join(', ');
    problems.push(
      `Beam would have refused what the present signer signed: ${list}; on the chain are ${commits.refused} of them. Each is told below with its reason`,
    );
  }
  if (commits.unseen > commits.compared * unseenShareMax) {
    problems.push(
      `${commits.unseen} of our signatures on the chain were not seen beforehand: the node's events are missing, look at its RPC`,
    );
  }
  if (unjudged > 0) {
    problems.push(
      `${unjudged} signatures came faster than they could be judged: this machine or DynamoDB is too slow`,
    );
  }
  const p99Ms = percentileMs(recordWriteMs, 0.99);
  const limitMs = Math.min(writeMsMax, (blockSeconds ?? Number.POSITIVE_INFINITY) * 1000 * writeShareMax);
  if (p99Ms !== undefined && p99Ms > limitMs) {
    problems.push(
      `1 of 100 writes of the sign record takes ${p99Ms} ms or nearly so, where ${Math.round(limitMs)} ms is what a vote has: choose a nearer region, or look at the network`,
    );
  }
  if (asks.needless > 0) {
    problems.push(
      `${asks.needless} times a standby would have asked for the role while the present signer signed on: look at this machine's load and its way to DynamoDB`,
    );
  }
  return problems;
}
