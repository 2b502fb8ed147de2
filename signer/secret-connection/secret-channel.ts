/**
 * CometBFT's SecretConnection (p2p/conn/secret_connection.go, the same from v0.34 to v1), seen from the side that
 * dials: bytes in, bytes out, no socket. Both sides send an ephemeral X25519 key, derive a key for each direction, and
 * then sign, behind that encryption, a challenge drawn from all that was exchanged.
 *
 * Any error ends the channel: what comes behind it can't be trusted.
 */

import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  verify,
} from 'node:crypto';
import { Transcript } from './merlin.ts';

export class SecretChannelError extends Error {
  override readonly name = 'SecretChannelError';
}

/** Our own side's lasting key on such connections. It has nothing to do with the consensus key. */
export interface ConnectionKey {
  publicKey: Uint8Array;
  sign(bytes: Uint8Array): Uint8Array;
}

const dataBytesMax = 1024;
const frameBytes = 4 + dataBytesMax;
const tagBytes = 16;
export const sealedFrameBytes = frameBytes + tagBytes;
/** Frames of one direction: below 2^53 the counter is exact, and CometBFT's own bound of 2^64 is never met. */
const framesMax = Number.MAX_SAFE_INTEGER;

const keyBytes = 32;
const signatureBytes = 64;
/** A delimited `BytesValue` of 32 bytes. */
const ephemeralPrefix = Buffer.from([34, 0x0a, keyBytes]);
/** A delimited `AuthSigMessage`: an ed25519 public key, then (behind `signaturePrefix`) the signature. */
const authPrefix = Buffer.from([102, 0x0a, 34, 0x0a, keyBytes]);
const signaturePrefix = Buffer.from([0x12, signatureBytes]);
const authBytes = authPrefix.length + keyBytes + signaturePrefix.length + signatureBytes;

/** What comes before 32 raw bytes in the DER of a public key. */
const spkiPrefix = {
  x25519: Buffer.from('302a300506032b656e032100', 'hex'),
  ed25519: Buffer.from('302a300506032b6570032100', 'hex'),
} as const;

export function publicKeyObject(kind: keyof typeof spkiPrefix, raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([spkiPrefix[kind], raw]), format: 'der', type: 'spki' });
}

export function rawPublicKey(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(-keyBytes);
}

/** The nonce of each frame is its number: 4 bytes of zero, then 8 bytes, little-endian. */
export class FrameCounter {
  #next: number;

  constructor(next = 0) {
    this.#next = next;
  }

  /** @throws SecretChannelError before a nonce would come a second time. */
  nonce(): Uint8Array {
    if (this.#next >= framesMax) {
      throw new SecretChannelError('this connection has no further nonces; it must be made anew');
    }
    const nonce = Buffer.alloc(12);
    nonce.writeBigUInt64LE(BigInt(this.#next), 4);
    this.#next += 1;
    return nonce;
  }
}

class Sealer {
  readonly #counter = new FrameCounter();
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  seal(plain: Uint8Array): Buffer {
    const frames: Buffer[] = [];
    for (let offset = 0; offset < plain.length; offset += dataBytesMax) {
      const data = plain.subarray(offset, offset + dataBytesMax);
      const frame = Buffer.alloc(frameBytes);
      frame.writeUInt32LE(data.length);
      frame.set(data, 4);
      const cipher = createCipheriv('chacha20-poly1305', this.#key, this.#counter.nonce(), {
        authTagLength: tagBytes,
      });
      frames.push(cipher.update(frame), cipher.final(), cipher.getAuthTag());
    }
    return Buffer.concat(frames);
  }
}

class Opener {
  readonly #counter = new FrameCounter();
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  open(sealed: Uint8Array): Uint8Array {
    const decipher = createDecipheriv('chacha20-poly1305', this.#key, this.#counter.nonce(), {
      authTagLength: tagBytes,
    });
    decipher.setAuthTag(sealed.subarray(frameBytes));
    const frame = decipher.update(sealed.subarray(0, frameBytes));
    try {
      decipher.final();
    } catch (error) {
      throw new SecretChannelError('a frame was changed on its way, or is not of this connection', {
        cause: error,
      });
    }
    const length = frame.readUInt32LE();
    if (length > dataBytesMax) throw new SecretChannelError(`a frame says that it holds ${length} bytes`);
    return frame.subarray(4, 4 + length);
  }
}

interface Session {
  sealer: Sealer;
  opener: Opener;
  challenge: Uint8Array;
}

export interface SecretChannelParts {
  key: ConnectionKey;
  /** @throws where this is not the peer that is wanted. */
  checkPeer: (publicKey: Uint8Array) => void;
}

export class SecretChannel {
  readonly #parts: SecretChannelParts;
  readonly #ephemeral = generateKeyPairSync('x25519');
  readonly #ephemeralRaw = rawPublicKey(this.#ephemeral.publicKey);
  #session: Session | undefined;
  #peer: Uint8Array | undefined;
  /** Bytes as they came, less than the next part that is expected. */
  #pending: Uint8Array = Buffer.alloc(0);
  /** While the peer's proof is not whole. */
  #proof: Uint8Array = Buffer.alloc(0);

  constructor(parts: SecretChannelParts) {
    this.#parts = parts;
  }

  /** The public key of the peer, once it was proven and checked. */
  get peer(): Uint8Array | undefined {
    return this.#peer;
  }

  /** What is sent first. */
  hello(): Uint8Array {
    return Buffer.concat([ephemeralPrefix, this.#ephemeralRaw]);
  }

  /**
   * @returns `send`: what goes to the peer for the handshake's sake; `plain`: what it said behind its proof.
   * @throws SecretChannelError, or what `checkPeer` throws
   */
  receive(chunk: Uint8Array): { send: Uint8Array; plain: Uint8Array } {
    this.#pending = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    const send = this.#session ? Buffer.alloc(0) : this.#exchange();
    const plain: Uint8Array[] = [];
    const session = this.#session;
    if (session) {
      let offset = 0;
      for (; offset + sealedFrameBytes <= this.#pending.length; offset += sealedFrameBytes) {
        const data = session.opener.open(this.#pending.subarray(offset, offset + sealedFrameBytes));
        plain.push(this.#peer ? data : this.#prove(session, data));
      }
      this.#pending = Buffer.from(this.#pending.subarray(offset));
    }
    return { send, plain: Buffer.concat(plain) };
  }

  /** Nothing is told to a peer that has not proven itself. */
  seal(plain: Uint8Array): Uint8Array {
    if (!this.#session || !this.#peer) throw new SecretChannelError('the peer is not known yet');
    return this.#session.sealer.seal(plain);
  }

  /** The peer's ephemeral key, once it is whole; @returns our proof. */
  #exchange(): Buffer {
    const seen = Math.min(this.#pending.length, ephemeralPrefix.length);
    if (!ephemeralPrefix.subarray(0, seen).equals(this.#pending.subarray(0, seen))) {
      throw new SecretChannelError('what answers does not speak SecretConnection');
    }
    const whole = ephemeralPrefix.length + keyBytes;
    if (this.#pending.length < whole) return Buffer.alloc(0);
    const remote = Buffer.from(this.#pending.subarray(ephemeralPrefix.length, whole));
    this.#pending = this.#pending.subarray(whole);
    this.#session = this.#derive(remote);
    const { challenge, sealer } = this.#session;
    const { key } = this.#parts;
    return sealer.seal(Buffer.concat([authPrefix, key.publicKey, signaturePrefix, key.sign(challenge)]));
  }

  #derive(remote: Buffer): Session {
    const local = this.#ephemeralRaw;
    if (remote.equals(local)) throw new SecretChannelError('the peer sent our own ephemeral key back');
    const secret = sharedSecret(this.#ephemeral.privateKey, remote);
    const localIsLower = local.compare(remote) < 0;
    const transcript = new Transcript('TENDERMINT_SECRET_CONNECTION_TRANSCRIPT_HASH');
    transcript.append('EPHEMERAL_LOWER_PUBLIC_KEY', localIsLower ? local : remote);
    transcript.append('EPHEMERAL_UPPER_PUBLIC_KEY', localIsLower ? remote : local);
    transcript.append('DH_SECRET', secret);
    const info = 'TENDERMINT_SECRET_CONNECTION_KEY_AND_CHALLENGE_GEN';
    const keys = Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), info, 2 * keyBytes));
    const [first, second] = [keys.subarray(0, keyBytes), keys.subarray(keyBytes)];
    return {
      opener: new Opener(localIsLower ? first : second),
      sealer: new Sealer(localIsLower ? second : first),
      challenge: transcript.challenge('SECRET_CONNECTION_MAC', 32),
    };
  }

  /** Collects the peer's proof; @returns what came behind it. */
  #prove({ challenge }: Session, data: Uint8Array): Uint8Array {
    this.#proof = Buffer.concat([this.#proof, data]);
    if (this.#proof.length < authBytes) return Buffer.alloc(0);
    const key = this.#proof.subarray(authPrefix.length, authPrefix.length + keyBytes);
    const behindKey = authPrefix.length + keyBytes;
    const shaped =
      authPrefix.equals(this.#proof.subarray(0, authPrefix.length)) &&
      signaturePrefix.equals(this.#proof.subarray(behindKey, behindKey + signaturePrefix.length));
    if (!shaped) throw new SecretChannelError('the peer did not prove itself with an ed25519 key');
    const signature = this.#proof.subarray(behindKey + signaturePrefix.length, authBytes);
    if (!verify(null, challenge, publicKeyObject('ed25519', key), signature)) {
      throw new SecretChannelError(
        'the peer does not hold the key that it names, or somebody stands between',
      );
    }
    if (Buffer.from(key).equals(this.#parts.key.publicKey)) {
      throw new SecretChannelError('the peer answers with our own connection key');
    }
    this.#parts.checkPeer(key);
    this.#peer = Buffer.from(key);
    const rest = this.#proof.subarray(authBytes);
    this.#proof = Buffer.alloc(0);
    return rest;
  }
}

/** @throws SecretChannelError for a point of low order, with which the secret would be known to all. */
function sharedSecret(privateKey: KeyObject, remote: Uint8Array): Buffer {
  let secret: Buffer;
  try {
    secret = diffieHellman({ privateKey, publicKey: publicKeyObject('x25519', remote) });
  } catch (error) {
    // OpenSSL fails where all bytes of the secret are zero.
    throw new SecretChannelError('the peer sent a point of low order', { cause: error });
  }
  if (secret.every((byte) => byte === 0)) throw new SecretChannelError('the peer sent a point of low order');
  return secret;
}
