/**
 * What was judged, and what the chain made of it: the commits' side of a dry-run. A height counts only where this node took part in it
 * from its first round on, with the events connected: what it synced, or what came in a gap, is nobody's fault.
 */

import { missedInRowMin } from '../../protocol/role-request.ts';
import type { Commit } from './observed.ts';
import { type CommitOutcome, compareCommit, type Judged } from './report.ts';

/** Of judged signatures, until their commit comes. */
const heightsMax = 10;
const judgedMax = 400;
/** Heights after a request for the role by which it is told whether the signer was gone. */
const heightsToTell = 2;

export class Comparison {
  #judged: Judged[] = [];
  /** Heights whose first round was seen to begin. */
  #takenPart = new Set<number>();
  #missedInRow = 0;
  #asks: { height: number; missed: boolean }[] = [];

  get missedInRow(): number {
    return this.#missedInRow;
  }

  /** The events have a gap here. */
  gap(): void {
    this.#takenPart.clear();
    this.#judged = [];
    this.#asks = [];
    this.#missedInRow = 0;
  }

  round(height: number, round: number): void {
    if (round === 0) this.#takenPart.add(height);
    for (const old of this.#takenPart) if (old < height - heightsMax) this.#takenPart.delete(old);
  }

  judged(one: Judged): void {
    this.#judged = [...this.#judged.filter(({ height }) => height > one.height - heightsMax), one].slice(
      -judgedMax,
    );
  }

  /** A standby asked for the role at this height. */
  asked(height: number): void {
    this.#asks.push({ height, missed: false });
  }

  /**
   * A height's final commit.
   * @returns undefined where the node did not take part in it; `needless`: requests for the role that are told by now to
   * have been made while the signer signed on
   */
  commit(
    commit: Commit,
    address: string,
  ): { outcome: CommitOutcome; judged?: Judged; needless: number } | undefined {
    if (!this.#takenPart.delete(commit.height)) return undefined;
    const compared = compareCommit(commit, address, this.#judged);
    const missed = compared.outcome === 'missed' || compared.outcome === 'late';
    this.#missedInRow = missed ? this.#missedInRow + 1 : 0;
    const told = this.#asks.map((ask) => ({
      ...ask,
      missed: ask.missed || (missed && commit.height > ask.height - missedInRowMin),
    }));
    const done = told.filter(({ height }) => commit.height >= height + heightsToTell);
    this.#asks = told.filter(({ height }) => commit.height < height + heightsToTell);
    return { ...compared, needless: done.filter((ask) => !ask.missed).length };
  }
}
