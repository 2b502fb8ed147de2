/**
 * One connection that sends ready-made bytes and waits for the answer: the client's share of a measured time is small, and the same for
 * every server.
 */

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import aws4 from 'aws4';

export interface Place {
  host: string;
  port: number;
  /** PEM; undefined: plain HTTP. */
  ca?: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

export interface Answer {
  status: number;
  body: string;
}

/** A request as it goes over the wire, signed. */
export function signedRequest(
  place: Place,
  service: string,
  method: string,
  path: string,
  body: string,
): Buffer {
  const { headers } = aws4.sign(
    {
      service,
      region: 'us-east-1',
      method,
      host: `localhost:${place.port}`,
      path,
      body,
      headers: { 'content-type': 'application/json' },
    },
    place.credentials,
  );
  const lines = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${String(value)}`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
}

class ConnectionGone extends Error {}

export class RawConnection {
  readonly #place: Place;
  #socket: Socket;
  #received = '';
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;

  private constructor(place: Place, socket: Socket) {
    this.#place = place;
    this.#socket = socket;
    this.#listen(socket);
  }

  static async open(place: Place): Promise<RawConnection> {
    return new RawConnection(place, await connectTo(place));
  }

  /** Hypercorn, MiniStack's server, ends a connection after 1,000 requests: then another one is opened. */
  async send(request: Buffer): Promise<Answer> {
    if (this.#socket.destroyed) await this.#reopen();
    try {
      return await this.#exchange(request);
    } catch (error) {
      if (!(error instanceof ConnectionGone)) throw error;
      await this.#reopen();
      return this.#exchange(request);
    }
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  async #reopen(): Promise<void> {
    this.#received = '';
    this.#socket = await connectTo(this.#place);
    this.#listen(this.#socket);
  }

  #exchange(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  #listen(socket: Socket): void {
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    const gone = (error?: Error) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.reject(new ConnectionGone('the server closed the connection', { cause: error }));
    };
    socket.on('data', (text: string) => this.#take(text));
    socket.on('error', gone);
    socket.on('close', () => gone());
  }

  #take(text: string): void {
    this.#received += text;
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.slice(0, end).toLowerCase();
    const length = /\r\ncontent-length: (\d+)/.exec(head)?.[1];
    const body = this.#received.slice(end + 4);
    if (length === undefined ? !body.endsWith('0\r\n\r\n') : body.length < Number(length)) return;
    this.#received = '';
    if (head.includes('\r\nconnection: close')) this.#socket.destroy();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}

async function connectTo({ host, port, ca }: Place): Promise<Socket> {
  const socket =
    ca === undefined ? connectTcp({ host, port }) : connectTls({ host, port, ca, servername: 'localhost' });
  await new Promise<void>((resolve, reject) => {
    socket.once(ca === undefined ? 'connect' : 'secureConnect', () => resolve());
    socket.once('error', reject);
  });
  return socket;
}
