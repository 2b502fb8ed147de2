/** The broker's port: mutual TLS, for clients whose certificate the registry knows. */

import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { JustInTime } from '../provisioning/just-in-time.ts';
import type { Registry } from '../registry/registry.ts';
import type { KeyAndCertificate } from '../tls/issuer.ts';
import { mutualTls } from '../tls/mutual.ts';
import type { Principal } from './peer.ts';
import { certificatePrincipal } from './principals.ts';

const handshakeMsMax = 10_000;

export interface MutualTlsOptions {
  registry: Registry;
  /** Meets a client whose certificate is not registered. */
  justInTime: JustInTime;
  server: KeyAndCertificate;
  log: Logger;
  host: string;
  /** 0 is a free port. */
  port: number;
  /** Takes a connection whose client proved who it is. */
  handle(socket: TLSSocket, principal: Principal, ipAddress: string): void;
}

export interface MutualTls {
  /** @returns the port */
  listen(): Promise<number>;
  /** From here on nobody connects; who is there stays. */
  stopListening(): void;
  /** Breaks off whoever is still there. */
  close(): Promise<void>;
}

/** Makes the server; it takes connections after `listen`. */
export function createMutualTls(options: MutualTlsOptions): MutualTls {
  const { registry, justInTime, log } = options;

  function connect(socket: TLSSocket): void {
    socket.on('error', (error) => log.debug({ reason: error.message }, 'a connection broke'));
    const ipAddress = socket.remoteAddress ?? '';
    let principal: Principal | undefined;
    let why: string | undefined;
    try {
      principal = certificatePrincipal(socket, registry);
      why = principal.fault();
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
    }
    if (principal && why === undefined) {
      options.handle(socket, principal, ipAddress);
      return;
    }
    const refuse = (reason: string | undefined) => {
      log.warn({ act: 'connect', principalId: principal?.id, ipAddress, why: reason }, 'refused');
      socket.destroy();
    };
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) {
      refuse(why);
      return;
    }
    const serverName = typeof socket.servername === 'string' ? socket.servername : undefined;
    void justInTime.meet(certificate, serverName).then((done) => refuse(done ?? why));
  }

  const tls = createServer(
    {
      ...mutualTls(options.server),
      handshakeTimeout: handshakeMsMax,
      noDelay: true,
      keepAlive: true,
    },
    connect,
  );
  tls.on('tlsClientError', (error, socket) => {
    log.warn({ act: 'connect', ipAddress: socket.remoteAddress, why: error.message }, 'refused');
  });
  const sockets = new Set<{ destroy(): void }>();
  tls.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  let stopped: Promise<void> | undefined;
  const stopListening = () => {
    if (tls.listening) stopped ??= new Promise((resolve) => tls.close(() => resolve()));
  };

  return {
    listen: () =>
      new Promise((resolve, reject) => {
        tls.once('error', reject);
        tls.listen(options.port, options.host, () => {
          tls.removeListener('error', reject);
          resolve((tls.address() as AddressInfo).port);
        });
      }),
    stopListening,
    async close() {
      stopListening();
      for (const socket of sockets) socket.destroy();
      await stopped;
    },
  };
}
