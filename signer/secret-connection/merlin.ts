/**
 * A Merlin transcript (merlin.cool, version 1.0): both sides of a handshake write down what was exchanged, and draw a
 * challenge from it. It is STROBE-128 over keccak-f[1600], as far as Merlin needs it: the operations meta-AD, AD, PRF.
 */

import { keccakP } from '@noble/hashes/sha3.js';

const stateWords = 50;
/** 200 bytes of state less twice 128 bits of security, less two bytes of padding (STROBE, section 4). */
const rate = 166;

const flags = { inbound: 1, application: 2, cipher: 4, meta: 16 } as const;
const operations = {
  metaAd: flags.meta | flags.application,
  ad: flags.application,
  prf: flags.inbound | flags.application | flags.cipher,
} as const;

const ascii = (text: string) => Buffer.from(text, 'ascii');

class Strobe128 {
  /** Little-endian words, addressed by bytes below: so it is the same on any machine. */
  readonly #words = new Uint32Array(stateWords);
  #position = 0;
  /** One past where the operation under way began in this block; 0: in a block before. */
  #begin = 0;

  constructor(protocol: string) {
    const header = [1, rate + 2, 1, 0, 1, 12 * 8, ...ascii('STROBEv1.0.2')];
    header.forEach((byte, index) => {
      this.#xor(index, byte);
    });
    keccakP(this.#words);
    this.operate(operations.metaAd, ascii(protocol));
  }

  /** @param more goes on with the operation before, which was the same. */
  operate(operation: number, data: Uint8Array, more = false): void {
    if (!more) this.#start(operation);
    this.#absorb(data);
  }

  prf(length: number): Uint8Array {
    this.#start(operations.prf);
    const out = new Uint8Array(length);
    for (let index = 0; index < length; index++) {
      const { word, shift } = place(this.#position);
      out[index] = ((this.#words[word] ?? 0) >>> shift) & 0xff;
      // Squeezed bytes are overwritten, so that what was drawn can't be found again from the state.
      this.#words[word] = (this.#words[word] ?? 0) & ~(0xff << shift);
      this.#advance();
    }
    return out;
  }

  #start(operation: number): void {
    const begunBefore = this.#begin;
    this.#begin = this.#position + 1;
    this.#absorb(Uint8Array.of(begunBefore, operation));
    if (operation & flags.cipher && this.#position !== 0) this.#permute();
  }

  #absorb(data: Uint8Array): void {
    for (const byte of data) {
      this.#xor(this.#position, byte);
      this.#advance();
    }
  }

  #advance(): void {
    this.#position += 1;
    if (this.#position === rate) this.#permute();
  }

  #permute(): void {
    this.#xor(this.#position, this.#begin);
    this.#xor(this.#position + 1, 0x04);
    this.#xor(rate + 1, 0x80);
    keccakP(this.#words);
    this.#position = 0;
    this.#begin = 0;
  }

  #xor(index: number, byte: number): void {
    const { word, shift } = place(index);
    this.#words[word] = (this.#words[word] ?? 0) ^ (byte << shift);
  }
}

function place(index: number): { word: number; shift: number } {
  return { word: index >> 2, shift: (index & 3) * 8 };
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export class Transcript {
  readonly #strobe = new Strobe128('Merlin v1.0');

  constructor(protocol: string) {
    this.append('dom-sep', ascii(protocol));
  }

  append(label: string, message: Uint8Array): void {
    this.#strobe.operate(operations.metaAd, ascii(label));
    this.#strobe.operate(operations.metaAd, uint32(message.length), true);
    this.#strobe.operate(operations.ad, message);
  }

  challenge(label: string, length: number): Uint8Array {
    this.#strobe.operate(operations.metaAd, ascii(label));
    this.#strobe.operate(operations.metaAd, uint32(length), true);
    return this.#strobe.prf(length);
  }
}
