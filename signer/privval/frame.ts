/** Frames of the privval connection: a message's length as a uvarint, then the message (CometBFT libs/protoio). */

/**
 * Bound of a received frame: a vote extension may have 1 MiB (CometBFT types/vote.go `MaxVoteExtensionSize`), and what
 * is around it is far below 16 KiB. (For answers CometBFT's own limit is 10 KiB.)
 */
export const receivedFrameBytesMax = 1_048_576 + 16_384;

/** Chunks that are kept apart, at most: each costs more than its bytes. */
const chunksMax = 1024;

/** A stream that is no sequence of frames: nothing behind it can be trusted, so the connection must be closed. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

export function encodeUvarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

export function encodeFrame(message: Uint8Array): Uint8Array {
  const length = encodeUvarint(message.length);
  const frame = new Uint8Array(length.length + message.length);
  frame.set(length);
  frame.set(message, length.length);
  return frame;
}

/** Takes a stream's chunks, however it was cut, and gives back whole messages. Each byte is copied a bounded number of times. */
export class FrameDecoder {
  readonly #bytesMax: number;
  /** Chunks that no whole message was made of yet; joined only once there is one. */
  #chunks: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Of the message that is awaited, with its length before it; undefined while the length is not whole. */
  #wantedBytes: number | undefined;

  constructor(bytesMax = receivedFrameBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** @throws FrameError where a length is no uvarint, or above the bound. */
  push(chunk: Uint8Array): Uint8Array[] {
    if (chunk.length === 0) return [];
    this.#chunks.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#wantedBytes !== undefined && this.#pendingBytes < this.#wantedBytes) {
      if (this.#chunks.length > chunksMax) this.#chunks = [Buffer.concat(this.#chunks)];
      return [];
    }
    const [first] = this.#chunks;
    const bytes = this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks);
    const messages: Uint8Array[] = [];
    let offset = 0;
    this.#wantedBytes = undefined;
    for (;;) {
      const header = this.#readLength(bytes, offset);
      if (header === undefined) break;
      const end = header.start + header.length;
      if (end > bytes.length) {
        this.#wantedBytes = end - offset;
        break;
      }
      messages.push(new Uint8Array(bytes.subarray(header.start, end)));
      offset = end;
    }
    const rest = new Uint8Array(bytes.subarray(offset));
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#pendingBytes = rest.length;
    return messages;
  }

  #readLength(bytes: Uint8Array, offset: number): { length: number; start: number } | undefined {
    let length = 0;
    for (let index = 0; ; index++) {
      const byte = bytes[offset + index];
      if (byte === undefined) return undefined;
      length += (byte & 0x7f) * 2 ** (7 * index);
      if (length > this.#bytesMax) {
        throw new FrameError(
          `a frame of ${length} bytes or more was announced; at most ${this.#bytesMax} are read`,
        );
      }
      if (byte < 0x80) return { length, start: offset + index + 1 };
      // A length within the bound never needs more than four bytes: the rest would be padding.
      if (index >= 4) throw new FrameError('the length of a frame is no uvarint of at most five bytes');
    }
  }
}
