/** Signs what was reserved, and tells the journal. */

import { createHash } from 'node:crypto';
import type { JournalEntry } from '../../protocol/signer-control.ts';
import type { Timestamp } from '../privval/gen/types_pb.ts';
import { Refusal } from '../refusal.ts';
import { JournalKeeper } from './journal-keeper.ts';
import { type Meter, timed } from './meter.ts';
import type { Clock, Journal, SigningKey } from './ports.ts';
import { parseTimestamp, type SignRequest, timestampText } from './request.ts';
import type { HeldPosition } from './state.ts';

export interface Signed {
  timestamp: Timestamp;
  signature: Uint8Array;
  extensionSignature?: Uint8Array | undefined;
}

export interface ReleaserParts {
  key: SigningKey;
  journal: Journal;
  clock: Clock;
  thing: string;
  meter?: Meter | undefined;
}

export class Releaser {
  readonly #parts: ReleaserParts;
  readonly #journal: JournalKeeper;

  constructor(parts: ReleaserParts) {
    this.#parts = parts;
    this.#journal = new JournalKeeper(parts);
  }

  /** Before the first request. @param entry of the state as it was found on disk */
  async start(entry: JournalEntry | undefined): Promise<void> {
    await this.#journal.catchUp(entry);
  }

  async stop(): Promise<void> {
    // What can't be written now is in the state file for the next start.
    await this.#journal.settle().catch(() => {});
  }

  /** What the journal will say of a position; the state file says it first. @throws Refusal */
  entryOf(request: SignRequest, held: HeldPosition, epoch: number): JournalEntry {
    const { clock, thing } = this.#parts;
    const { signBytes, timestamp } = readHeld(request, held);
    return {
      at: new Date(clock.wall()).toISOString(),
      chainId: request.chainId,
      height: request.position.height,
      round: request.position.round,
      type: request.kind,
      blockId: request.blockId,
      timestamp: timestampText(timestamp),
      signBytesHash: createHash('sha256').update(signBytes).digest('hex'),
      epoch,
      thing,
    };
  }

  /** Resolves when the journal has all that was released: only then the state may go on to another entry. @throws Refusal */
  settle(): Promise<void> {
    return this.#journal.settle();
  }

  /**
   * @param held what the guard holds: its bytes alone are signed
   * @param entry of `held`; the state on disk has it
   * @param deadlineMs by the clock; a key that signs elsewhere is not waited for any longer
   * @throws Refusal where the key gives no signature
   */
  async release(
    request: SignRequest,
    held: HeldPosition,
    entry: JournalEntry,
    deadlineMs: number,
  ): Promise<Signed> {
    const { signBytes, timestamp } = readHeld(request, held);
    const { extensionSignBytes } = request;
    const [signature, extensionSignature] = await this.#signAll(request, deadlineMs, [
      signBytes,
      ...(extensionSignBytes ? [extensionSignBytes] : []),
    ]);
    if (!signature) throw new Error('nothing was signed');
    this.#journal.note(entry);
    return { timestamp, signature, extensionSignature };
  }

  /** The position is held by now: a request that comes again after a key that failed gets the same bytes signed. */
  async #signAll(request: SignRequest, deadlineMs: number, messages: Uint8Array[]): Promise<Uint8Array[]> {
    const { key, clock, meter } = this.#parts;
    const timeoutMs = deadlineMs - clock.now();
    try {
      return await timed(meter, clock, 'sign', () =>
        Promise.all(messages.map((message) => key.sign(message, timeoutMs))),
      );
    } catch (error) {
      throw new Refusal(
        'key-unavailable',
        `the consensus key gave no signature: ${(error as Error).message}; the position is kept, and the node asks again`,
        { asked: request.position, cause: error },
      );
    }
  }
}

/** @throws Refusal */
function readHeld(request: SignRequest, held: HeldPosition): { signBytes: Uint8Array; timestamp: Timestamp } {
  const signBytes = Buffer.from(held.signBytes, 'base64');
  // A proposal is only ever signed with the bytes that were asked for, so its time is the request's.
  const timestamp = request.kind === 'proposal' ? request.time : parseTimestamp(held.timestamp);
  if (timestamp === undefined || signBytes.length === 0) {
    throw new Refusal('doubt', 'what is held for this position has no bytes or no timestamp', {
      asked: request.position,
      held,
    });
  }
  return { signBytes, timestamp };
}
