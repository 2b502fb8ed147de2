/**
 * A TCP proxy on 127.0.0.1 through which some of one server's traffic goes, so that a fault can cut that server off and
 * no other. A cut loses nothing and delivers nothing: as in a network whose packets get lost for a while, what was sent arrives
 * after the cut, if both ends still wait for it. A new connection is taken and hears nothing.
 */

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** `out`: what the dialling side sends; `in`: what it should receive. */
export interface Cut {
  out: boolean;
  in: boolean;
}

export interface LinkOptions {
  port: number;
  /** On 127.0.0.1. */
  targetPort: number;
  /** Who dials; told to `cutOf`. Left out: not known. */
  originOf?: (dialling: Socket) => string | undefined;
  /** What is cut now for a connection of `origin`. */
  cutOf(origin: string | undefined): Cut;
}

interface Half {
  from: Socket;
  to: Socket;
  direction: keyof Cut;
  /** `to` takes no more for now. */
  full: boolean;
  /** `from` is gone; told to `to` once the cut is over. */
  ended: boolean;
}

interface Pair {
  origin: string | undefined;
  halves: readonly [Half, Half];
}

export class Link {
  readonly #options: LinkOptions;
  readonly #pairs = new Set<Pair>();
  #server: Server | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** @throws where the port is taken */
  async start(): Promise<void> {
    const { port } = this.#options;
    this.#server = createServer({ allowHalfOpen: false, noDelay: true }, (socket) => this.#take(socket));
    this.#server.listen({ port, host: '127.0.0.1', exclusive: true });
    await once(this.#server, 'listening');
  }

  stop(): void {
    this.#server?.close();
    for (const { halves } of this.#pairs) for (const { from } of halves) from.destroy();
  }

  /** To be called when `cutOf` answers something else. */
  refresh(): void {
    for (const pair of this.#pairs) for (const half of pair.halves) this.#flow(pair, half);
  }

  #take(dialling: Socket): void {
    const { targetPort, originOf } = this.#options;
    const target = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    const half = (from: Socket, to: Socket, direction: keyof Cut): Half => ({
      from,
      to,
      direction,
      full: false,
      ended: false,
    });
    const pair: Pair = {
      origin: originOf?.(dialling),
      halves: [half(dialling, target, 'out'), half(target, dialling, 'in')],
    };
    this.#pairs.add(pair);
    for (const each of pair.halves) {
      each.from.on('data', (chunk) => {
        each.full = !each.to.write(chunk);
        this.#flow(pair, each);
      });
      each.to.on('drain', () => {
        each.full = false;
        this.#flow(pair, each);
      });
      // Its `close` follows.
      each.from.on('error', () => {});
      each.from.on('close', () => {
        each.ended = true;
        this.#flow(pair, each);
      });
      this.#flow(pair, each);
    }
  }

  #flow(pair: Pair, half: Half): void {
    const cut = this.#options.cutOf(pair.origin)[half.direction];
    if (cut || half.full) half.from.pause();
    else half.from.resume();
    if (cut || !half.ended) return;
    half.to.destroySoon();
    if (pair.halves.every(({ ended }) => ended)) this.#pairs.delete(pair);
  }
}
