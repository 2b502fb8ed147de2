/** The control socket (protocol/signer-control.ts): tells how the signer is, and takes hints. It can't make it sign. */

import { chmodSync, lstatSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import {
  type ControlReply,
  type ControlRequest,
  controlLineBytesMax,
  controlRequest,
  type SignerStatus,
} from '../protocol/signer-control.ts';
import { isAnswered } from './disk/state-lock.ts';

export interface ControlHandlers {
  status(): SignerStatus;
  look(): void;
  standBy(): void;
  committed(height: number): void;
}

/** Of connections at once; a pilot has one, a person's command another. */
const connectionsMax = 32;
/** A watcher that reads too slowly is let go. */
const unreadBytesMax = 256 * 1024;

const setGidBit = 0o2000;

/** Watchers hear at least so often, so that silence means a signer that hangs. */
const pushEveryMs = 1000;

export class ControlServer {
  readonly #path: string;
  readonly #handlers: ControlHandlers;
  readonly #watchers = new Set<Socket>();
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;
  #pushing = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, handlers: ControlHandlers) {
    this.#path = path;
    this.#handlers = handlers;
  }

  /** @throws where another process answers at the socket, or something else lies there */
  async start(): Promise<void> {
    await clear(this.#path);
    const server = createServer((socket) => this.#serve(socket));
    server.maxConnections = connectionsMax;
    // The socket of a folder with the setgid bit is its group's, by whoever made the folder so: the pilot's, where it has a user
    // of its own (packaging/tmpfiles.d).
    const shared = (statSync(dirname(this.#path)).mode & setGidBit) !== 0;
    const umask = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(this.#path, resolve);
      });
    } finally {
      process.umask(umask);
    }
    chmodSync(this.#path, shared ? 0o660 : 0o600);
    this.#server = server;
    this.#timer = setInterval(() => this.push(), pushEveryMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#server?.close();
    for (const socket of this.#connections) socket.destroy();
  }

  /** Tells the watchers, once for all that happens in the same turn. */
  push(): void {
    if (this.#pushing || this.#watchers.size === 0) return;
    this.#pushing = true;
    setImmediate(() => {
      this.#pushing = false;
      const line = lineOf(this.#handlers.status());
      for (const socket of this.#watchers) {
        if (socket.writableLength > unreadBytesMax) socket.destroy();
        else socket.write(line);
      }
    });
  }

  #serve(socket: Socket): void {
    let pending = '';
    this.#connections.add(socket);
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#connections.delete(socket);
      this.#watchers.delete(socket);
    });
    socket.on('data', (text: string) => {
      const lines = (pending + text).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) if (line.trim() !== '') socket.write(lineOf(this.#answer(line, socket)));
      if (pending.length > controlLineBytesMax) {
        socket.end(lineOf({ type: 'error', message: `a line has at most ${controlLineBytesMax} bytes` }));
      }
    });
  }

  #answer(line: string, socket: Socket): ControlReply {
    const request = parseRequest(line);
    if (typeof request === 'string') return { type: 'error', message: request };
    switch (request.type) {
      case 'watch':
        this.#watchers.add(socket);
        return this.#handlers.status();
      case 'status':
        return this.#handlers.status();
      case 'grant':
        this.#handlers.look();
        break;
      case 'stand-by':
        this.#handlers.standBy();
        break;
      case 'commit':
        this.#handlers.committed(request.height);
        break;
    }
    return { type: 'ok' };
  }
}

function lineOf(reply: ControlReply): string {
  return `${JSON.stringify(reply)}\n`;
}

function parseRequest(line: string): ControlRequest | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'a request is one JSON object a line';
  }
  const parsed = controlRequest.safeParse(value);
  if (parsed.success) return parsed.data;
  return parsed.error.issues
    .map(({ path, message }) => `${path.join('.') || 'request'}: ${message}`)
    .join('; ');
}

/** Takes a stale socket away; nothing else. */
async function clear(path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket())
    throw new Error(`${path} is no socket; move it away, or set [signer] control elsewhere`);
  if (await isAnswered(path)) {
    throw new Error(`another signer answers at ${path}; stop it, or set [signer] control elsewhere`);
  }
  rmSync(path, { force: true });
}
