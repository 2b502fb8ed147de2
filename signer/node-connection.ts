/**
 * The connection to gaiad: the node listens on `priv_validator_laddr`, the signer dials, at once and for ever. An answer
 * goes to the connection that asked, and to no other.
 */

import { connect, type Socket } from 'node:net';
import type { Log } from './core/ports.ts';
import { encodeFrame, FrameDecoder } from './privval/frame.ts';
import { type PrivvalRequest, parseRequest } from './privval/messages.ts';

/** The node waits 3 s for its signer at its start, once. */
export const dialAgainMsMin = 25;
export const dialAgainMsMax = 100;
/** A socket file at which nobody listens is a node's that died, or one that comes up. */
export const refusedAgainMsMax = 1000;
/** Requests of one connection under way; a node has one. */
const underWayMax = 16;

export interface NodeConnectionParts {
  socket: string;
  answer: (request: PrivvalRequest) => Promise<Uint8Array>;
  onChange: (connected: boolean) => void;
  log: Log;
}

export class NodeConnection {
  readonly #parts: NodeConnectionParts;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #againMs = dialAgainMsMin;
  /** Why the last dial failed, so that each reason is logged once. */
  #failure: string | undefined;
  #stopped = false;

  constructor(parts: NodeConnectionParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#dial();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #dial(): void {
    const { socket: path, onChange, log } = this.#parts;
    const socket = connect(path);
    const decoder = new FrameDecoder();
    let connected = false;
    let underWay = 0;
    let failure: NodeJS.ErrnoException | undefined;
    this.#socket = socket;
    socket.on('connect', () => {
      connected = true;
      this.#againMs = dialAgainMsMin;
      log.info({ socket: path }, 'connected to the node');
      onChange(true);
    });
    socket.on('data', (chunk) => {
      try {
        for (const frame of decoder.push(chunk)) {
          const request = parseRequest(frame);
          if (++underWay > underWayMax) throw new Error(`more than ${underWayMax} requests at once`);
          void this.#serve(socket, request).finally(() => underWay--);
        }
      } catch (error) {
        log.error({ err: error }, 'what the node sent is no request; the connection is closed and made anew');
        socket.destroy();
      }
    });
    socket.on('error', (error) => {
      failure = error;
    });
    socket.on('close', () => {
      // A signer that ends on purpose is started again at once: that is no reason to yield.
      if (connected && !this.#stopped) {
        log.warn({ socket: path }, 'the connection to the node closed; dialling again');
        onChange(false);
      }
      this.#dialAgain(failure?.code);
    });
  }

  async #serve(socket: Socket, request: PrivvalRequest): Promise<void> {
    const answer = await this.#parts.answer(request);
    if (socket.writable) socket.write(encodeFrame(answer));
  }

  #dialAgain(code: string | undefined): void {
    if (this.#stopped) return;
    const { log, socket } = this.#parts;
    if (code !== this.#failure && code !== undefined)
      log.info({ socket, code }, 'the node can not be dialled yet');
    this.#failure = code;
    const delayMs = Math.min(this.#againMs, code === 'ECONNREFUSED' ? refusedAgainMsMax : dialAgainMsMax);
    this.#againMs = delayMs * 2;
    this.#timer = setTimeout(() => this.#dial(), delayMs);
  }
}
