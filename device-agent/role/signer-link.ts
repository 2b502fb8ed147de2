/** The signer's control socket, watched: status lines in, requests out, dialled again when it goes. */

import { connect, type Socket } from 'node:net';
import {
  type ControlRequest,
  controlLineBytesMax,
  controlReply,
  type SignerStatus,
} from '../../protocol/signer-control.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';

/** A unix socket costs next to nothing to dial, and a signer that is back should be known at once. */
const redialMs = 200;
/** A signer pushes its status each T/3 (0.5 s at most); silent for this long it hangs, or is frozen. */
export const signerSilenceMs = 5_000;

export interface SignerLinkEvents {
  onStatus(status: SignerStatus): void;
  onDown(reason: string): void;
}

export class SignerLink {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #events: SignerLinkEvents;
  #socket: Socket | undefined;
  #redial: NodeJS.Timeout | undefined;
  #stopped = true;
  #status: SignerStatus | undefined;
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #downSinceMs: number | undefined;
  #session = 0;

  constructor(path: string, clock: Clock, log: Logger, events: SignerLinkEvents) {
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
    this.#events = events;
  }

  /** As last said, of this connection or an earlier one. */
  get status(): SignerStatus | undefined {
    return this.#status;
  }

  get up(): boolean {
    return this.#downSinceMs === undefined && this.#clock.monotonicMs() - this.#heardAtMs < signerSilenceMs;
  }

  /** 0 while it answers. */
  get downForMs(): number {
    if (this.up) return 0;
    return this.#clock.monotonicMs() - (this.#downSinceMs ?? this.#heardAtMs);
  }

  /** Counts connections that answered: a new one may be a new process. */
  get session(): number {
    return this.#session;
  }

  start(): void {
    this.#stopped = false;
    this.#downSinceMs = this.#clock.monotonicMs();
    this.#dial();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#redial);
    this.#socket?.destroy();
  }

  /** Dropped where there is no connection: whoever needs it sends it again to the next one. */
  send(request: ControlRequest): void {
    if (this.#socket?.writable) this.#socket.write(`${JSON.stringify(request)}\n`);
  }

  #dial(): void {
    const socket = connect(this.#path);
    this.#socket = socket;
    let text = '';
    let answered = false;
    let reason = 'the connection was closed';
    socket.setEncoding('utf8');
    socket.on('connect', () => this.send({ type: 'watch' }));
    socket.on('data', (chunk: string) => {
      text += chunk;
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      if (text.length > controlLineBytesMax) {
        reason = 'it sent a line that is too long';
        socket.destroy();
        return;
      }
      for (const line of lines) {
        const status = this.#read(line);
        if (!status) continue;
        if (!answered) {
          answered = true;
          this.#session += 1;
          this.#log.info({ state: status.state, pid: status.pid }, 'the signer answers');
        }
        this.#downSinceMs = undefined;
        this.#heardAtMs = this.#clock.monotonicMs();
        this.#status = status;
        this.#events.onStatus(status);
      }
    });
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.on('close', () => {
      this.#downSinceMs ??= this.#clock.monotonicMs();
      if (answered) {
        this.#log.warn({ reason }, 'the signer is gone');
        this.#events.onDown(reason);
      }
      if (!this.#stopped) this.#redial = setTimeout(() => this.#dial(), redialMs);
    });
  }

  #read(line: string): SignerStatus | undefined {
    if (line.length === 0) return undefined;
    try {
      const reply = controlReply.parse(JSON.parse(line));
      if (reply.type === 'error')
        this.#log.warn({ reason: reply.message }, 'the signer answered with an error');
      return reply.type === 'status' ? reply : undefined;
    } catch (error) {
      this.#log.error(
        { reason: String(error) },
        'the signer sent what is not an answer; are pilot and signer of one version?',
      );
      return undefined;
    }
  }
}
