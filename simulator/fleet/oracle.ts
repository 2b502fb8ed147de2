/**
 * Says of every write of a signer that took effect whether it may have: an independent telling of the record's conditions, by what
 * the sender was and knew when it sent. And of every reading that showed a record that nobody may trust, that nothing is
 * signed after it.
 */

import { comparePositions } from '../../protocol/sign-position.ts';
import type { SignRecord } from '../../protocol/sign-record.ts';
import type { UpdateItemInput } from '../../protocol/sign-record-dynamodb.ts';
import type { RecordStore } from '../../signer/core/ports.ts';
import type { SignerState } from '../../signer/core/state.ts';
import type { Safety } from './safety.ts';

type Kind = 'sign' | 'claim' | 'renew' | 'beat';

export interface Sent {
  kind: Kind;
  /** As the disk held it when this was sent. */
  disk: Partial<SignerState>;
  /** In which the sender believed to sign. */
  epoch: number;
  committed: number;
}

export interface OracleParts {
  safety: Safety;
  name: string;
  thing: string;
  recordKey: string;
  /** What a power loss at this instant would leave of the state file. */
  disk: () => Partial<SignerState>;
  epoch: () => number;
  /** The node's height when the request under way came. */
  committed: () => number;
  /** Heights in whose commit somebody else put our signature. */
  foreign: ReadonlySet<number>;
}

/** Before a first signature so many commits are looked at (`ForeignWatch`). */
const commitsLookedAt = 10;

export class Oracle {
  readonly #parts: OracleParts;
  /** This process's own, from its first save. */
  #incarnation: string | undefined;
  /** Why nothing may be signed from now on. */
  #untrusted: string | undefined;
  /** The epoch in which this process last signed. */
  #signedIn = -1;

  constructor(parts: OracleParts) {
    this.#parts = parts;
  }

  send(input: UpdateItemInput): Sent {
    const { disk: read, epoch, committed, safety, name, recordKey } = this.#parts;
    const disk = read();
    const { UpdateExpression: update, Key } = input;
    const isRecord = 'key' in Key && Key.key !== undefined && 'S' in Key.key && Key.key.S === recordKey;
    const kind: Kind = !isRecord
      ? 'beat'
      : /#height /.test(update)
        ? 'sign'
        : /#holder /.test(update)
          ? 'claim'
          : 'renew';
    if (kind === 'claim' || kind === 'renew') {
      const place = /#incarnation = (:v\d+)/.exec(update)?.[1] ?? '';
      const value = input.ExpressionAttributeValues[place];
      const incarnation = value && 'S' in value ? value.S : '';
      this.#incarnation = incarnation;
      if (!disk.pendingIncarnations?.includes(incarnation)) {
        safety.violated(3, `${name} sent an incarnation that its disk does not hold`);
      }
    }
    return { kind, disk, epoch: epoch(), committed: committed() };
  }

  /** The update took effect, early or late; the sender may be dead by now. */
  applied({ kind, disk, epoch, committed }: Sent, before: SignRecord | undefined, after: SignRecord): void {
    const { safety, name, thing } = this.#parts;
    if (kind === 'beat') return;
    if (!before) {
      safety.violated(4, `${name} wrote a record that was not there`);
      return;
    }
    const pinned = disk.record?.recordId;
    if (before.recordId !== pinned) {
      safety.violated(4, `${name} wrote record ${before.recordId}, enrolled is ${pinned}`);
    }
    if (kind === 'claim') {
      if (before.grantTo !== thing || before.grantEpoch !== after.epoch || before.epoch >= after.epoch) {
        safety.violated(3, `${name} claimed epoch ${after.epoch} of ${JSON.stringify(before)}`);
      }
      return;
    }
    if (before.holder !== thing) safety.violated(3, `${name} wrote the record that ${before.holder} held`);
    if (kind === 'renew') {
      const known = [disk.incarnation, ...(disk.pendingIncarnations ?? [])];
      if (!known.includes(before.incarnation))
        safety.violated(3, `${name} took the record over from a process it knows nothing of`);
      return;
    }
    safety.recorded(after);
    if (before.epoch !== epoch)
      safety.violated(3, `${name} wrote as of epoch ${epoch} in epoch ${before.epoch}`);
    if (this.#incarnation !== undefined && before.incarnation !== this.#incarnation) {
      safety.violated(3, `${name} wrote though another process of its name held the record`);
    }
    // Where a height went by without a signature the next is a first one, too.
    const isFirst = this.#signedIn !== epoch || after.height > before.height + 1;
    if (isFirst) this.#checkFirst(before, after, committed);
    this.#signedIn = epoch;
  }

  /** A reading begins. @returns what it is judged by: the state file as the disk holds it now */
  ask(): Partial<SignerState> {
    return this.#parts.disk();
  }

  /** What the signer read in time. An answer that comes later is none, by the design. */
  answered(disk: Partial<SignerState>, record: SignRecord | undefined): void {
    const trust = distrust(record, disk);
    if (trust !== undefined) this.#untrusted = trust;
  }

  /** A signature is about to be made. */
  signs(): void {
    const { safety, name } = this.#parts;
    if (this.#untrusted !== undefined)
      safety.violated(4, `${name} signs though it read that ${this.#untrusted}`);
  }

  /** Invariant 9, at a first signature. */
  #checkFirst(before: SignRecord, after: SignRecord, committed: number): void {
    const { safety, name, foreign } = this.#parts;
    const top = Math.min(committed, after.height - 1);
    const found = [...foreign].find(
      (height) => height > before.height && height <= top && height > top - commitsLookedAt,
    );
    if (found !== undefined) {
      safety.violated(
        9,
        `${name} signed first at ${after.height}, though somebody else signed ${found} above the record's ${before.height}`,
      );
    }
  }
}

/** The record's readings, told to the oracle as the guard gets them. */
export function heard(store: RecordStore, oracle: Oracle): RecordStore {
  return {
    async read(key, timeoutMs) {
      const asked = oracle.ask();
      const outcome = await store.read(key, timeoutMs);
      const isRecord = !key.includes('#');
      if (isRecord && outcome.kind === 'found') oracle.answered(asked, outcome.item as unknown as SignRecord);
      return outcome;
    },
    update: (update, timeoutMs) => store.update(update, timeoutMs),
  };
}

/** Only what lasts: a record that is missing or another one is judged anew at each reading. */
function distrust(
  record: SignRecord | undefined,
  { record: pin, seen, epochSeen = 0 }: Partial<SignerState>,
): string | undefined {
  if (!record || !pin || !seen || record.recordId !== pin.recordId) return undefined;
  const order = comparePositions(record, seen);
  if (record.epoch < epochSeen) return `the record is at epoch ${record.epoch}, ${epochSeen} was seen`;
  if (order < 0) return `the record is at height ${record.height}, ${seen.height} was seen`;
  if (order === 0 && record.signBytes !== seen.signBytes)
    return 'the record holds other bytes than were seen';
  return undefined;
}
