/** What must never be: looked at on everything that any signer of the fleet released, and on each write of the record. */

import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { sizeDelimitedPeek } from '@bufbuild/protobuf/wire';
import { comparePositions, type SignPosition, showPosition } from '../../protocol/sign-position.ts';
import type { SignRecord } from '../../protocol/sign-record.ts';
import { blockIdText } from '../../signer/core/request.ts';
import {
  BlockIDSchema,
  CanonicalBlockIDSchema,
  CanonicalVoteSchema,
} from '../../signer/privval/gen/types_pb.ts';

export interface Released {
  at: SignPosition;
  /** Base64 of the bytes that were signed. */
  bytes: string;
  /** Empty: nil. */
  block: string;
  by: string;
  /** In which the bytes were recorded; under the local guard 0. */
  epoch: number;
}

type Precommit = Pick<Released, 'at' | 'block' | 'epoch' | 'by'>;

export interface Violation {
  /** Of the design's invariants. */
  invariant: 1 | 2 | 3 | 4 | 5 | 6 | 8 | 9;
  text: string;
  atMs: number;
}

/** @param signBytes base64 of a vote's canonical bytes, behind their length. @returns `blockIdText` of its block */
function votedBlock(signBytes: string): string {
  const bytes = Buffer.from(signBytes, 'base64');
  const { blockId } = fromBinary(CanonicalVoteSchema, bytes.subarray(sizeDelimitedPeek(bytes).offset ?? 0));
  // A canonical BlockID has a BlockID's fields.
  return blockIdText(blockId && fromBinary(BlockIDSchema, toBinary(CanonicalBlockIDSchema, blockId)));
}

/** Violations kept: the first one is what counts. */
const violationsMax = 20;

export class Safety {
  readonly violations: Violation[] = [];
  readonly #now: () => number;
  readonly #released = new Map<string, Released>();
  /** The precommits for a block that the record took or a signer released, by height. */
  readonly #precommits = new Map<number, Precommit[]>();
  /** Sign requests that a signer answered, with a signature or without. */
  asked = 0;
  #signs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Signatures that were released. */
  get signs(): number {
    return this.#signs;
  }

  violated(invariant: Violation['invariant'], text: string): void {
    if (this.violations.length < violationsMax) this.violations.push({ invariant, text, atMs: this.#now() });
  }

  released(one: Released): void {
    this.#signs += 1;
    const position = showPosition(one.at);
    const former = this.#released.get(position);
    if (!former) this.#released.set(position, one);
    else if (former.bytes !== one.bytes) {
      this.violated(
        1,
        `${position} was released twice: ${former.block || 'nil'} by ${former.by}, ${one.block || 'nil'} by ${one.by}`,
      );
    }
    this.#checkLock(one);
  }

  /**
   * A signer's own write of a position. A precommit that its holder could not release any more is a lock all the same: the
   * next one can't know that nobody got it.
   */
  recorded({ height, round, step, signBytes, epoch, holder }: SignRecord): void {
    const block = step === 3 ? votedBlock(signBytes) : '';
    if (block !== '') this.#lock({ at: { height, round, step }, block, epoch, by: holder });
  }

  #lock(one: Precommit): void {
    this.#precommits.set(one.at.height, [...(this.#precommits.get(one.at.height) ?? []), one]);
  }

  /** Invariant 6: a later epoch's holder votes for the block that an earlier one precommitted, or nil. */
  #checkLock(one: Released): void {
    const { at, block, epoch, by } = one;
    if (at.step === 1 || block === '') return;
    const precommits = this.#precommits.get(at.height) ?? [];
    const below = precommits.filter((former) => comparePositions(former.at, at) < 0);
    const last = below.reduce<Precommit | undefined>(
      (latest, former) => (latest && comparePositions(latest.at, former.at) > 0 ? latest : former),
      undefined,
    );
    if (last && last.epoch < epoch && last.block !== block) {
      this.violated(
        6,
        `${showPosition(at)} for ${block} by ${by}, though ${last.by} precommitted ${last.block}`,
      );
    }
    if (at.step === 3) this.#lock(one);
  }

  /** Invariants 3 and 5, at the record itself. `before` and `after` are of one record. */
  wrote(before: SignRecord, after: SignRecord): void {
    const order = comparePositions(after, before);
    if (after.epoch < before.epoch)
      this.violated(3, `the record's epoch went from ${before.epoch} to ${after.epoch}`);
    if (order < 0) this.violated(3, `the record went from ${showPosition(before)} to ${showPosition(after)}`);
    if (order === 0 && after.signBytes !== before.signBytes) {
      this.violated(3, `the record's bytes at ${showPosition(after)} were replaced`);
    }
    const grants = after.grantEpoch - before.grantEpoch;
    if (
      (grants !== 0 && grants !== 1) ||
      after.grantEpoch < after.epoch ||
      (grants === 0 && after.grantTo !== before.grantTo)
    ) {
      this.violated(
        3,
        `the grant went from ${before.grantEpoch} ${before.grantTo} to ${after.grantEpoch} ${after.grantTo}`,
      );
    }
  }
}
