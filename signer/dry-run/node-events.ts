/** The node's events by its RPC's websocket: dialled again when it goes, each message bounded and parsed. */

import WebSocket from 'ws';
import { eventNames, type Observed, parseEvent } from './observed.ts';

const redialMs = 1_000;
const handshakeTimeoutMs = 3_000;
const eventBytesMax = 32 * 1024 * 1024;
/** Nothing at all for so long: the connection may be dead without a word. */
const silenceMsMax = 60_000;

export interface NodeEventsHandlers {
  onOpen(): void;
  onClosed(reason: string): void;
  onEvent(observed: Observed): void;
}

export class NodeEvents {
  readonly #url: string;
  readonly #handlers: NodeEventsHandlers;
  #socket: WebSocket | undefined;
  #redial: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param rpc http://host:port */
  constructor(rpc: string, handlers: NodeEventsHandlers) {
    const url = new URL('websocket', rpc.endsWith('/') ? rpc : `${rpc}/`);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#url = url.href;
    this.#handlers = handlers;
  }

  start(): void {
    this.#dial();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#redial);
    clearTimeout(this.#silence);
    this.#socket?.terminate();
  }

  #dial(): void {
    const socket = new WebSocket(this.#url, {
      maxPayload: eventBytesMax,
      handshakeTimeout: handshakeTimeoutMs,
    });
    this.#socket = socket;
    let reason = 'the connection was closed';
    let open = false;
    socket.on('open', () => {
      open = true;
      for (const [id, name] of eventNames.entries()) {
        const params = { query: `tm.event='${name}'` };
        socket.send(JSON.stringify({ jsonrpc: '2.0', id, method: 'subscribe', params }));
      }
      this.#handlers.onOpen();
      this.#expect(socket);
    });
    socket.on('message', (data) => {
      this.#expect(socket);
      const observed = parseEvent(jsonOf(data.toString()));
      if (observed) this.#handlers.onEvent(observed);
    });
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.on('close', () => {
      clearTimeout(this.#silence);
      if (open) this.#handlers.onClosed(reason);
      if (!this.#stopped) this.#redial = setTimeout(() => this.#dial(), redialMs);
    });
  }

  #expect(socket: WebSocket): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => socket.terminate(), silenceMsMax);
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
