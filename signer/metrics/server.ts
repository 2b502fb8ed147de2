/**
 * Serves the metrics: `GET /metrics`, and nothing else. It has no key in reach of a request, and what it may take of the
 * process is bounded: connections, headers and time.
 */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from '../core/ports.ts';

/** A Prometheus or two, and a person. */
const connectionsMax = 8;
const headerBytesMax = 4096;
const headersCountMax = 50;
const requestMsMax = 5000;
const keepAliveMs = 5000;
/** How often time-outs are looked for. */
const checkEveryMs = 1000;

export interface MetricsServerParts {
  host: string;
  port: number;
  metrics: () => string;
  log: Log;
}

export class MetricsServer {
  readonly #parts: MetricsServerParts;
  readonly #server: Server;

  constructor(parts: MetricsServerParts) {
    this.#parts = parts;
    this.#server = createServer(
      {
        maxHeaderSize: headerBytesMax,
        requestTimeout: requestMsMax,
        headersTimeout: requestMsMax,
        keepAliveTimeout: keepAliveMs,
        connectionsCheckingInterval: checkEveryMs,
      },
      (request, response) => {
        const found = request.url === '/metrics';
        if (!found || request.method !== 'GET') {
          const headers = { connection: 'close', ...(found ? { allow: 'GET' } : {}) };
          response.writeHead(found ? 405 : 404, headers).end('GET /metrics\n');
          return;
        }
        const text = parts.metrics();
        response.writeHead(200, {
          'content-type': 'text/plain; version=0.0.4; charset=utf-8',
          'content-length': Buffer.byteLength(text),
        });
        response.end(text);
      },
    );
    this.#server.maxConnections = connectionsMax;
    this.#server.maxHeadersCount = headersCountMax;
    this.#server.setTimeout(requestMsMax * 2);
  }

  /** A port that is taken is told and left: metrics never keep a signer from signing. @returns the port in use */
  start(): Promise<number | undefined> {
    const { host, port, log } = this.#parts;
    return new Promise((resolve) => {
      this.#server.on('error', (error) => {
        log.error(
          { host, port, err: error },
          'the metrics are not served; free that port or name another in [signer] metrics',
        );
        resolve(undefined);
      });
      this.#server.listen({ host, port }, () => {
        const { port: bound } = this.#server.address() as AddressInfo;
        log.info({ host, port: bound }, 'the metrics are served');
        if (!isLoopback(host)) {
          log.warn(
            { host },
            'the metrics are served beyond this machine, to whoever reaches that port: they tell who signs, where and how fast; let only the Prometheus server in',
          );
        }
        resolve(bound);
      });
    });
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
