/** The network between a pilot and its broker, for tests: it can be cut and mended. */

import { connect, createServer, type Server, type Socket } from 'node:net';

export function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

export class Line {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((from) => {
    const to = connect(this.#port, '127.0.0.1');
    for (const socket of [from, to]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    }
    if (this.#isCut) return from.destroy();
    from.pipe(to).pipe(from);
  });
  readonly #port: number;
  #isCut = false;

  constructor(port: number) {
    this.#port = port;
  }

  open(): Promise<number> {
    return new Promise((opened) => {
      this.#server.listen(0, '127.0.0.1', () => opened(portOf(this.#server)));
    });
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}
