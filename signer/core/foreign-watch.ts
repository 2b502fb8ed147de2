/** Invariant 9: a signature of ours on the chain above what is known to be signed is somebody else's. */

import { Refusal } from '../refusal.ts';
import type { Log, NodeView } from './ports.ts';

/** How many of the newest commits are looked at before a first signature: as many as enrolment waits for. */
export const commitsLookedAtMax = 10;

export interface ForeignWatchParts {
  node: NodeView;
  log: Log;
  /** The height up to which signatures of ours may be on the chain, as known without asking anybody. */
  knownHeight: () => number | undefined;
  /** The same, asked after the commit was seen. @throws Refusal where that can't be told */
  confirmedHeight: () => Promise<number>;
  /** Stops and alerts. @returns the refusal of all that comes */
  onForeign: (height: number, known: number) => Promise<Refusal>;
}

export class ForeignWatch {
  readonly #parts: ForeignWatchParts;
  #vetted = false;
  /** The newest commit that was looked at. */
  #lookedTo = -1;
  #looking = false;

  constructor(parts: ForeignWatchParts) {
    this.#parts = parts;
  }

  /** A claim, or a loss of the right: the next signature is a first one again. */
  reset(): void {
    this.#vetted = false;
    this.#lookedTo = -1;
  }

  /**
   * Before the first signature. A node that is behind shows old commits alone, so the commit just below what is asked
   * must be among those looked at, or be known already.
   * @param asked the height to be signed; undefined: ahead of a request, which then need not wait
   * @throws Refusal unless the newest commits show no signature but known ones
   */
  async vet(asked?: number): Promise<void> {
    const known = this.#parts.knownHeight() ?? 0;
    // A height went by without us, and nobody looked who signed it: what follows is a first signature again.
    if (asked !== undefined && asked - 1 > Math.max(known, this.#lookedTo)) this.#vetted = false;
    if (this.#vetted) return;
    if (asked === undefined || asked - 1 > this.#lookedTo) await this.#lookAtNewest();
    // Else it looks again at the next one. A node whose RPC is further behind than that is invariant 8's affair.
    // One that comes again tells nothing of the heights above it.
    this.#vetted = asked !== undefined && asked > known && asked - 1 <= this.#lookedTo;
  }

  async #lookAtNewest(): Promise<void> {
    const { node } = this.#parts;
    const committed = await node.committedHeight();
    if (committed === undefined)
      throw unvetted("the node's RPC does not answer, or the node still catches up");
    const known = this.#parts.knownHeight() ?? 0;
    const above = Math.max(known, committed - commitsLookedAtMax, 0);
    const heights: number[] = [];
    for (let height = committed; height > above; height--) heights.push(height);
    const looks = await Promise.all(heights.map((height) => node.ourSignatureAt(height)));
    const signed = heights[looks.indexOf('signed')];
    if (signed !== undefined) await this.#suspect(signed);
    const unknown = heights[looks.indexOf('unknown')];
    if (unknown !== undefined) throw unvetted(`the node does not show the commit of height ${unknown}`);
    this.#lookedTo = Math.max(known, committed);
  }

  /** With each commit. One look at a time; a commit that can't be seen proves nothing either way. */
  async committed(height: number): Promise<void> {
    const { node, log, knownHeight } = this.#parts;
    const known = knownHeight();
    if (this.#looking || known === undefined || known >= height) return;
    this.#looking = true;
    try {
      if ((await node.ourSignatureAt(height)) === 'signed') await this.#suspect(height);
    } catch (error) {
      log.warn({ err: error, height }, 'a commit was compared with what is known to be signed');
    } finally {
      this.#looking = false;
    }
  }

  async #suspect(height: number): Promise<void> {
    const known = await this.#parts.confirmedHeight();
    if (known < height) throw await this.#parts.onForeign(height, known);
  }
}

function unvetted(cause: string): Refusal {
  return new Refusal(
    'unvetted',
    `before its first signature this signer must see that nobody else signed with its key, and ${cause}; check [gaiad] rpc`,
  );
}

export function foreignSigner(height: number, known: string, remedy: string): Refusal {
  return new Refusal(
    'foreign-signer',
    `the chain has our signature at height ${height}, and ${known}: somebody else signs with this key; find and stop it, then ${remedy}`,
  );
}
