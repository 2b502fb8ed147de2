/**
 * Connections to one server, kept from call to call: one request at a time on each, by HTTP/1.1. Not node:http, whose request and
 * response objects, streams all of them, cost a small call a quarter of its time (docs/decisions/dynamodb-client.md).
 * A connection of which anything is not as expected is ended, and its call fails: nobody ever gets the answer to another call.
 */

import { statSync } from 'node:fs';
import { connect, isIP, type Socket } from 'node:net';
import { createSecureContext, type SecureContext, connect as secureConnect } from 'node:tls';
import { AnswerReader, type HttpAnswer } from './answer-reader.ts';

/** An AbortSignal, or what a caller has in place of one that is quicker to make. */
export interface GivenUp {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface ConnectionsOptions {
  /** Its scheme, host and port count. */
  url: URL;
  /**
   * Unix socket where the server is reached in place of its host and port, without TLS: its file's owner vouches for it, who must be
   * this process's user or root.
   */
  socket?: string | undefined;
  /** PEM of who vouches for the server; left out: Node's own list. */
  ca: Buffer | undefined;
  /** Calls at once; more are refused. */
  connectionsMax: number;
  /** ms; a connection that takes longer is none. */
  connectMsMax: number;
  answerBytesMax: number;
}

/** Between the kernel's questions whether the other end is still there. */
const keepAliveMs = 1000;

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #secure: SecureContext | undefined;
  readonly #open = new Set<Connection>();
  readonly #idle: Connection[] = [];
  /** Of the last TLS connection: the next handshake is shorter by it. */
  #session: Buffer | undefined;

  /** Connects to nobody yet. @throws where `ca` is no PEM */
  constructor(options: ConnectionsOptions) {
    this.#options = options;
    const { url, socket, ca } = options;
    const isSecure = socket === undefined && url.protocol === 'https:';
    this.#secure = isSecure ? createSecureContext(ca ? { ca } : {}) : undefined;
  }

  /**
   * @param request whole, head and body
   * @throws what the connection meets; an Error where the call is given up, which ends its connection
   */
  async exchange(request: string, givenUp: GivenUp): Promise<HttpAnswer> {
    const tooLate = () => new Error('the call was given up');
    if (givenUp.aborted) throw tooLate();
    const connection = this.#kept() ?? this.#dial();
    const giveUp = () => connection.end(tooLate());
    givenUp.addEventListener('abort', giveUp);
    try {
      const answer = await connection.ask(request);
      if (connection.keep(answer.keptMs)) this.#idle.push(connection);
      return answer;
    } finally {
      givenUp.removeEventListener('abort', giveUp);
    }
  }

  close(): void {
    for (const connection of this.#open) connection.end(new Error('the connections were closed'));
  }

  /** The one used last. */
  #kept(): Connection | undefined {
    for (let connection = this.#idle.pop(); connection; connection = this.#idle.pop()) {
      if (connection.isFresh()) return connection;
      connection.end(new Error('it was kept for too long'));
    }
    return undefined;
  }

  #dial(): Connection {
    const { connectionsMax, connectMsMax, answerBytesMax } = this.#options;
    if (this.#open.size >= connectionsMax) throw new Error(`${connectionsMax} calls are under way`);
    const connection = new Connection(this.#connect(), { connectMsMax, answerBytesMax }, () => {
      this.#open.delete(connection);
      const at = this.#idle.indexOf(connection);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    this.#open.add(connection);
    return connection;
  }

  #connect(): Socket {
    const { url, socket: path } = this.#options;
    if (path !== undefined) {
      requireOwn(path);
      return connect({ path });
    }
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const to = { host, port: Number(url.port) || (this.#secure ? 443 : 80), noDelay: true };
    if (!this.#secure) return connect(to);
    const socket = secureConnect({
      ...to,
      secureContext: this.#secure,
      ALPNProtocols: ['http/1.1'],
      ...(isIP(host) ? {} : { servername: host }),
      ...(this.#session ? { session: this.#session } : {}),
    });
    socket.on('session', (session) => {
      this.#session = session;
    });
    socket.on('error', () => {
      this.#session = undefined;
    });
    return socket;
  }
}

/** Whoever put the socket there answers in the server's name. @throws Error */
function requireOwn(path: string): void {
  const { uid } = statSync(path);
  if (uid === 0 || uid === process.getuid?.()) return;
  throw new Error(
    `${path} is another user's (uid ${uid}), who could answer in the server's name: run this as that user, or leave the socket out of the configuration`,
  );
}

class Connection {
  readonly #socket: Socket;
  readonly #answerBytesMax: number;
  #call: { reader: AnswerReader; resolve(answer: HttpAnswer): void; reject(error: Error): void } | undefined;
  #ended: Error | undefined;
  /** By performance.now(). */
  #freshUntilMs = 0;

  constructor(
    socket: Socket,
    { connectMsMax, answerBytesMax }: Pick<ConnectionsOptions, 'connectMsMax' | 'answerBytesMax'>,
    onEnd: () => void,
  ) {
    this.#socket = socket;
    this.#answerBytesMax = answerBytesMax;
    const timer = setTimeout(
      () => this.end(new Error(`no connection within ${connectMsMax} ms`)),
      connectMsMax,
    );
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.setKeepAlive(true, keepAliveMs);
    });
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.end(error));
    socket.on('end', () => this.end(hungUp()));
    socket.once('close', () => {
      clearTimeout(timer);
      this.end(hungUp());
      onEnd();
    });
  }

  ask(request: string): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      this.#call = { reader: new AnswerReader(this.#answerBytesMax), resolve, reject };
      this.#socket.write(request);
    });
  }

  /** After a call. A process may end while nothing but kept connections is open. @returns whether there may be a next call */
  keep(ms: number): boolean {
    if (ms === 0) this.end(new Error('the server keeps no connection'));
    if (this.#ended) return false;
    this.#freshUntilMs = performance.now() + ms;
    this.#socket.unref();
    return true;
  }

  isFresh(): boolean {
    if (this.#ended || performance.now() >= this.#freshUntilMs) return false;
    this.#socket.ref();
    return true;
  }

  /** Fails the call that is under way. */
  end(reason: Error): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#call?.reject(reason);
    this.#call = undefined;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    const call = this.#call;
    if (!call) {
      this.end(new Error('the server sent what nobody asked for'));
      return;
    }
    try {
      const answer = call.reader.push(chunk);
      if (!answer) return;
      this.#call = undefined;
      call.resolve(answer);
    } catch (error) {
      this.end(error as Error);
    }
  }
}

function hungUp(): Error {
  return Object.assign(new Error('the connection ended before there was an answer'), { code: 'ECONNRESET' });
}
