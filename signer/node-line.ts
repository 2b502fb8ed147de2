/**
 * One connection to a node, from the dial to its end: requests in, answers out. An answer has no number, so answers
 * leave in the order of their requests; every request is begun as it comes, so that none waits for the time of those
 * before it on top of its own.
 */

import { connect, type Socket } from 'node:net';
import type { Meter } from './core/meter.ts';
import type { Clock } from './core/ports.ts';
import type { NodeAddress } from './home.ts';
import { encodeFrame, FrameDecoder } from './privval/frame.ts';
import { type PrivvalRequest, parseRequest } from './privval/messages.ts';
import { checkPinned } from './secret-connection/node-identity.ts';
import { type ConnectionKey, SecretChannel } from './secret-connection/secret-channel.ts';

/** From the dial to a proven peer. A node takes a new connection at once where it has none. */
export const establishMsMax = 5000;
/** By TCP: a node that is there asks or pings every 3.3 s (two thirds of its time-out of 5 s). */
export const silentMsMax = 10_000;
/** Requests of one connection under way; a node has one. */
export const underWayMax = 16;
/** Answers that a node has not read; one has some 150 bytes. */
export const unreadBytesMax = 65_536;
const keepAliveMs = 3000;

export interface NodeLineParts {
  address: NodeAddress;
  /** With an address by TCP. */
  key: ConnectionKey | undefined;
  answer: (request: PrivvalRequest) => Promise<Uint8Array>;
  /** Requests can come from now on. `peer`: the key that it proved, by TCP. */
  onOpen: (peer: Uint8Array | undefined) => void;
  /** Once, at its end. */
  onClosed: (end: LineEnd) => void;
  times?: { establishMsMax: number; silentMsMax: number };
  /** Measures sign requests, from their frame to their answer. */
  meter?: { clock: Clock; meter: Meter } | undefined;
}

export interface LineEnd {
  /** Whether the node got an answer. */
  served: boolean;
  wasOpen: boolean;
  /** What went wrong; undefined: the node closed it, or we did. */
  error: NodeJS.ErrnoException | undefined;
}

export class NodeLine {
  readonly #parts: NodeLineParts;
  readonly #socket: Socket;
  readonly #channel: SecretChannel | undefined;
  readonly #decoder = new FrameDecoder();
  #timer: NodeJS.Timeout | undefined;
  #open = false;
  #served = false;
  #underWay = 0;
  #order: Promise<void> = Promise.resolve();
  #error: NodeJS.ErrnoException | undefined;

  /** Dials. */
  constructor(parts: NodeLineParts) {
    this.#parts = parts;
    const { address, key, times = { establishMsMax, silentMsMax } } = parts;
    if (address.kind === 'unix') this.#socket = connect(address.path);
    else {
      this.#socket = connect({
        host: address.host,
        port: address.port,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: keepAliveMs,
      });
      this.#channel = secretChannel(address.pinned, key);
      // A connection whose other end vanished tells nothing by itself: only its silence does.
      this.#socket.setTimeout(times.silentMsMax, () =>
        this.#fail(new Error(`the node was silent for ${times.silentMsMax / 1000} s`)),
      );
    }
    this.#timer = setTimeout(
      () => this.#fail(new Error(`no connection was made within ${times.establishMsMax / 1000} s`)),
      times.establishMsMax,
    );
    this.#socket.on('connect', () => {
      if (this.#channel) this.#socket.write(this.#channel.hello());
      else this.#opened(undefined);
    });
    this.#socket.on('data', (chunk) => {
      try {
        this.#receive(chunk);
      } catch (error) {
        this.#fail(error as Error);
      }
    });
    this.#socket.on('error', (error) => {
      this.#error ??= error;
    });
    this.#socket.on('close', () => {
      clearTimeout(this.#timer);
      parts.onClosed({ served: this.#served, wasOpen: this.#open, error: this.#error });
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    if (!this.#channel) {
      this.#requests(chunk);
      return;
    }
    const { send, plain } = this.#channel.receive(chunk);
    if (send.length > 0) this.#socket.write(send);
    if (this.#channel.peer && !this.#open) this.#opened(this.#channel.peer);
    this.#requests(plain);
  }

  #opened(peer: Uint8Array | undefined): void {
    clearTimeout(this.#timer);
    this.#open = true;
    this.#parts.onOpen(peer);
  }

  #requests(bytes: Uint8Array): void {
    for (const frame of this.#decoder.push(bytes)) {
      const measured = this.#measure();
      const request = parseRequest(frame);
      measured?.parsed(request);
      if (++this.#underWay > underWayMax)
        throw new Error(`the node sent more than ${underWayMax} requests at once`);
      // Begun now; waits for its turn only to be sent.
      const answer = this.#parts.answer(request);
      this.#order = this.#order
        .then(async () => {
          this.#send(await answer);
          measured?.answered(request);
        })
        .catch((error) => this.#fail(error));
    }
  }

  #send(answer: Uint8Array): void {
    this.#underWay -= 1;
    if (!this.#socket.writable) return;
    const frame = encodeFrame(answer);
    this.#socket.write(this.#channel ? this.#channel.seal(frame) : frame);
    this.#served = true;
    if (this.#socket.writableLength > unreadBytesMax) {
      throw new Error(`the node asks and leaves more than ${unreadBytesMax} bytes of answers unread`);
    }
  }

  /** From the frame that was just read. */
  #measure() {
    if (!this.#parts.meter) return undefined;
    const { clock, meter } = this.#parts.meter;
    const readMs = clock.now();
    const stage = (name: 'parse' | 'request') => (request: PrivvalRequest) => {
      if (request.kind === 'signVote' || request.kind === 'signProposal')
        meter.stage(name, clock.now() - readMs);
    };
    return { parsed: stage('parse'), answered: stage('request') };
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#socket.destroy();
  }
}

function secretChannel(pinned: string | undefined, key: ConnectionKey | undefined): SecretChannel {
  if (!key) throw new Error('a node is dialled by TCP without a connection key');
  return new SecretChannel({
    key,
    checkPeer: (publicKey) => {
      if (pinned !== undefined) checkPinned(pinned, publicKey);
    },
  });
}
