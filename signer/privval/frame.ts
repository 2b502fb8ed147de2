/** Frames of the privval connection: a message's length as a uvarint, then the message (CometBFT libs/protoio). */

/** Bound of a received frame. Vote extensions make requests large; CometBFT's own limit for answers is 10 KiB. */
export const receivedFrameBytesMax = 65_536;

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

/** Takes a stream's chunks, however it was cut, and gives back whole messages. */
export class FrameDecoder {
  readonly #bytesMax: number;
  #pending = new Uint8Array(0);

  constructor(bytesMax = receivedFrameBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** @throws FrameError where a length is no uvarint, or above the bound. */
  push(chunk: Uint8Array): Uint8Array[] {
    let bytes = chunk;
    if (this.#pending.length > 0) {
      bytes = new Uint8Array(this.#pending.length + chunk.length);
      bytes.set(this.#pending);
      bytes.set(chunk, this.#pending.length);
    }
    const messages: Uint8Array[] = [];
    let offset = 0;
    for (;;) {
      const header = this.#readLength(bytes, offset);
      if (header === undefined || header.start + header.length > bytes.length) break;
      messages.push(bytes.slice(header.start, header.start + header.length));
      offset = header.start + header.length;
    }
    this.#pending = bytes.slice(offset);
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
