/** The status agent: `/healthz` and `/status` over HTTP, for whoever is on this machine. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from '../log.ts';

export interface StatusSource {
  /** Undefined: all is well; else what is not. */
  trouble(): string | undefined;
  status(): object;
}

export class StatusServer {
  readonly #port: number;
  readonly #source: StatusSource;
  readonly #log: Logger;
  #server: Server | undefined;

  /** @param port 0: a free one. */
  constructor(port: number, source: StatusSource, log: Logger) {
    this.#port = port;
    this.#source = source;
    this.#log = log;
  }

  /**
   * A port that is taken costs the status, not the pilot's work: signing and supervision matter more.
   * @returns the address that it listens on; undefined where it can't.
   */
  async start(): Promise<string | undefined> {
    const server = createServer((request, response) => {
      const answer = (code: number, body: object) => {
        response.writeHead(code, { 'content-type': 'application/json', 'cache-control': 'no-store' });
        response.end(request.method === 'HEAD' ? undefined : `${JSON.stringify(body)}\n`);
      };
      // A page that a browser on this machine shows could ask by a name of its own for 127.0.0.1.
      if (!isLoopbackName(request.headers.host))
        return answer(403, { error: 'ask by 127.0.0.1 or localhost' });
      if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, { error: 'GET only' });
      const path = new URL(request.url ?? '/', 'http://localhost').pathname;
      if (path === '/healthz') {
        const trouble = this.#source.trouble();
        return answer(trouble === undefined ? 200 : 503, {
          ok: trouble === undefined,
          ...(trouble ? { trouble } : {}),
        });
      }
      if (path === '/status') return answer(200, this.#source.status());
      return answer(404, { error: 'there are /healthz and /status' });
    });
    this.#server = server;
    return new Promise((resolve) => {
      server.on('error', (error) => {
        this.#log.error(
          { reason: error.message, port: this.#port },
          'the status agent can not listen: set another [status] port in config.toml, or 0 for a free one, and start the pilot again; all else goes on',
        );
        resolve(undefined);
      });
      server.listen(this.#port, '127.0.0.1', () => {
        resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      });
    });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server?.listening) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function isLoopbackName(host: string | undefined): boolean {
  return host === undefined || /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/i.test(host);
}
