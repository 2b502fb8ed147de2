/** One connection to a peer: both say who they are and prove it, then tell their way to the chain and ping. */

import type { Socket } from 'node:net';
import type { KeyPair } from './keys.ts';
import {
  newHello,
  type PeerHello,
  type PeerMessage,
  peerLineBytesMax,
  peerMessage,
  proofFor,
  provenId,
  type SelfDescription,
} from './peer-messages.ts';

const handshakeTimeoutMs = 5_000;

export class PeerError extends Error {
  override readonly name = 'PeerError';
}

export class Peer {
  readonly outbound: boolean;
  readonly closed: Promise<void>;
  /** Whose messages came last, by the clock that was given. */
  heardAtMs: number;
  /** Hops from the peer to the other validators; undefined: it has no way. */
  reach: number | undefined;
  id = '';
  hello: PeerHello | undefined;
  readonly #socket: Socket;
  readonly #mine: PeerHello;
  readonly #key: KeyPair;
  readonly #now: () => number;
  #text = '';
  #said: string | undefined;
  #proven: ((error?: Error) => void) | undefined;
  onReach: () => void = () => undefined;

  constructor(options: {
    socket: Socket;
    outbound: boolean;
    key: KeyPair;
    self: SelfDescription;
    now: () => number;
  }) {
    this.#socket = options.socket;
    this.outbound = options.outbound;
    this.#key = options.key;
    this.#now = options.now;
    this.#mine = newHello(options.key, options.self);
    this.heardAtMs = options.now();
    this.#socket.setNoDelay(true);
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (chunk: string) => this.#received(chunk));
    this.#socket.on('error', () => this.#socket.destroy());
    this.closed = new Promise((resolve) =>
      this.#socket.once('close', () => {
        this.#proven?.(new PeerError('the peer closed the connection'));
        resolve();
      }),
    );
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  /** @throws PeerError where the peer is of another chain, or not who it says it is. */
  async handshake(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => this.#proven?.(new PeerError('handshake: time-out')),
        handshakeTimeoutMs,
      );
      this.#proven = (error) => {
        clearTimeout(timer);
        this.#proven = undefined;
        if (error) reject(error);
        else resolve();
      };
      this.#send(this.#mine);
    });
  }

  /** Tells the peer our way, where it changed. */
  tellReach(hops: number | undefined): void {
    const line = JSON.stringify({ type: 'reach', hops: hops ?? null } satisfies PeerMessage);
    if (line === this.#said) return;
    this.#said = line;
    this.#socket.write(`${line}\n`);
  }

  ping(): void {
    this.#send({ type: 'ping' });
  }

  drop(): void {
    this.#socket.destroy();
  }

  #send(message: PeerMessage): void {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  #received(chunk: string): void {
    this.heardAtMs = this.#now();
    this.#text += chunk;
    const lines = this.#text.split('\n');
    this.#text = lines.pop() ?? '';
    try {
      if (this.#text.length > peerLineBytesMax) throw new PeerError('the peer sent too long a line');
      for (const line of lines) this.#take(peerMessage.parse(JSON.parse(line)));
    } catch (error) {
      this.#proven?.(error instanceof PeerError ? error : new PeerError('the peer is no stand-in node'));
      this.drop();
    }
  }

  #take(message: PeerMessage): void {
    if (message.type === 'hello') {
      if (message.chainId !== this.#mine.chainId) {
        throw new PeerError(`the peer is on network '${message.chainId}', not '${this.#mine.chainId}'`);
      }
      this.hello = message;
      this.#send(proofFor(this.#key, message));
    } else if (message.type === 'proof') {
      const id = this.hello && provenId(this.#mine, this.hello, message.signature);
      if (!id) throw new PeerError('the peer does not hold the key that it named');
      this.id = id;
      this.#proven?.();
    } else if (message.type === 'reach' && this.id !== '') {
      this.reach = message.hops ?? undefined;
      this.onReach();
    }
  }
}
