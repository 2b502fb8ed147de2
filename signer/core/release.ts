/** Signs what was reserved. Before it goes out it stands in the journal. */

import { createHash } from 'node:crypto';
import type { JournalEntry } from '../../protocol/signer-control.ts';
import type { Timestamp } from '../privval/gen/types_pb.ts';
import { Refusal } from '../refusal.ts';
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

  constructor(parts: ReleaserParts) {
    this.#parts = parts;
  }

  /**
   * Signs, then notes.
   * @param held what the guard holds: its bytes alone are signed
   * @param deadlineMs by the clock; a key that signs elsewhere is not waited for any longer
   * @throws Refusal where the key gives no signature or the journal can't be written
   */
  async release(
    request: SignRequest,
    held: HeldPosition,
    epoch: number,
    deadlineMs: number,
  ): Promise<Signed> {
    const signed = await this.sign(request, held, deadlineMs);
    await this.note(request, held, epoch);
    return signed;
  }

  /** The half of `release` that makes the signature. Nobody gets it before `note` has resolved. @throws Refusal */
  async sign(request: SignRequest, held: HeldPosition, deadlineMs: number): Promise<Signed> {
    const { signBytes, timestamp } = readHeld(request, held);
    const { extensionSignBytes } = request;
    const [signature, extensionSignature] = await this.#signAll(request, deadlineMs, [
      signBytes,
      ...(extensionSignBytes ? [extensionSignBytes] : []),
    ]);
    if (!signature) throw new Error('nothing was signed');
    return { timestamp, signature, extensionSignature };
  }

  /** The half of `release` that writes the journal. @throws Refusal */
  async note(request: SignRequest, held: HeldPosition, epoch: number): Promise<void> {
    const { journal, clock, thing, meter } = this.#parts;
    const { signBytes, timestamp } = readHeld(request, held);
    try {
      const entry: JournalEntry = {
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
      await timed(meter, clock, 'journal', () => journal.append(entry));
    } catch (error) {
      throw new Refusal(
        'state-unwritten',
        'the journal could not be written, so the signature stays here; make room or mend the disk',
        { asked: request.position, cause: error },
      );
    }
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
