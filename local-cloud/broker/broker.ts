/** The MQTT broker: aedes behind mutual TLS, held to what AWS IoT Core does. */

import { constants } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { Aedes, type Client } from 'aedes';
import type { Logger } from 'pino';
import type { Asker, ProvisioningService } from '../provisioning/service.ts';
import { certificateIdOf } from '../registry/certificates.ts';
import type { Registry } from '../registry/registry.ts';
import type { ShadowService } from '../shadow-service.ts';
import type { Store } from '../store/store.ts';
import type { KeyAndCertificate } from '../tls/issuer.ts';
import { Emitter } from './emitter.ts';
import { createHooks } from './hooks.ts';
import { createIngress, isForRulesOnly, type MessageListener, type MessageMeta } from './ingress.ts';
import { guardPackets } from './packet-guard.ts';
import { filtersPerSubscribeMax, Peer } from './peer.ts';
import { connectedEvent, disconnectedEvent, openPresenceBook } from './presence.ts';
import { Sessions } from './sessions.ts';

/** AWS: 146 KB a packet, 100 messages in flight, 8 topic aliases, sessions to 7 days. */
const packetBytesMax = 149_504;
const inFlightMax = 100;
const topicAliasesMax = 8;
const sessionSecondsMax = 7 * 24 * 3600;
/** Sessions of MQTT 5 whose clients are away. */
const sessionsWaitingMax = 10_000;
const handshakeMsMax = 10_000;
const forgetEveryMs = 60_000;
/** MQTT 5 reason codes. */
const protocolError = 0x82;
const notAuthorized = 0x87;

export interface BrokerOptions {
  store: Store;
  registry: Registry;
  shadows: () => ShadowService;
  provisioning: () => ProvisioningService;
  server: KeyAndCertificate;
  log: Logger;
  host: string;
  /** 0 is a free port. */
  port: number;
  /** AWS: 30 to 1,200. */
  keepAliveSeconds?: { min: number; max: number };
}

export interface PublishOptions {
  qos?: 0 | 1;
  retain?: boolean;
  meta?: MessageMeta;
}

export interface Broker {
  /** Starts to take connections. @returns the port */
  listen(): Promise<number>;
  onMessage(listener: MessageListener): void;
  /** Resolves when what the message changes (shadow, retained) is on disk. */
  publish(topic: string, payload: Buffer, options?: PublishOptions): Promise<void>;
  /** What the shadow service sends: at QoS 0, to subscribers and listeners. */
  publishAnswer(topic: string, payload: Buffer): void;
  /** To the one connection that asked, if it is still there, at QoS 0. */
  answerTo(asker: Asker, topic: string, payload: Buffer): void;
  connectedClients(): string[];
  close(): Promise<void>;
}

/** Makes the broker; it takes connections after `listen`. */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  const { store, registry, log } = options;
  const keepAliveSeconds = options.keepAliveSeconds ?? { min: 30, max: 1200 };
  const peers = new WeakMap<Client, Peer>();
  const live = new Map<string, { client: Client; peer: Peer }>();
  const granted = new WeakSet<object>();
  const sessions = new Sessions(store, granted, (clientId) =>
    log.warn(
      { clientId },
      'the queue of a session is full; newer messages are dropped until its client reads',
    ),
  );
  const presence = openPresenceBook(store, (error) =>
    log.error({ err: error }, 'presence version not stored'),
  );
  const ingress = createIngress(store, options.shadows, options.provisioning, (error, topic) =>
    log.error({ err: error, topic }, 'a listener failed on a message'),
  );

  const isActive = (certificateId: string): boolean => {
    const record = registry.certificates.find(certificateId);
    const now = Date.now() / 1000;
    return record?.status === 'ACTIVE' && record.notBefore <= now && now < record.notAfter;
  };

  const aedes = await Aedes.createBroker({
    mq: new Emitter(),
    persistence: sessions,
    // No bound on what is under way: the emitter never waits.
    concurrency: 0,
    queueLimit: 100,
    keepaliveLimit: keepAliveSeconds.max,
    maximumPacketSize: packetBytesMax,
    receiveMaximum: inFlightMax,
    topicAliasMaximum: topicAliasesMax,
    sessionExpiryIntervalLimit: sessionSecondsMax,
    pendingSessionsLimit: sessionsWaitingMax,
    ...createHooks({
      peerOf: (client) => peers.get(client),
      isActive,
      granted,
      withdrawn: (client, filter) => sessions.removeSubscriptions(client, [filter]),
      admitted: (client) => live.get(client.id)?.peer.ends('DUPLICATE_CLIENTID'),
      ingress,
      log,
      keepAliveSeconds,
    }),
  });

  function deliver(topic: string, payload: Buffer, qos: 0 | 1): void {
    aedes.publish({ cmd: 'publish', topic, payload, qos, retain: false, dup: false }, (error) => {
      if (error) log.error({ err: error, topic }, 'a message could not be delivered');
    });
  }

  let isClosing = false;
  function announce({ topic, payload }: { topic: string; payload: Buffer }): void {
    // AWS publishes no event for a client id that cannot be a topic level. That the cloud itself ends is no news.
    if (isClosing || /[+#]/.test(topic)) return;
    ingress.tellListeners(topic, payload, {});
    deliver(topic, payload, 0);
  }

  aedes.on('clientReady', (client) => {
    const peer = peers.get(client);
    if (!peer) return;
    peer.presence = presence.open(client.id, peer.certificateId, peer.ipAddress);
    live.set(client.id, { client, peer });
    announce(connectedEvent(peer.presence, Date.now()));
  });
  aedes.on('clientDisconnect', (client) => {
    const peer = peers.get(client);
    if (live.get(client.id)?.client === client) live.delete(client.id);
    if (client.version !== 5 && !client.clean) sessions.left(client.id, Date.now());
    if (!peer?.presence) return;
    announce(disconnectedEvent(peer.presence, peer.endReason ?? 'CONNECTION_LOST', Date.now()));
  });
  aedes.on('keepaliveTimeout', (client) => peers.get(client)?.ends('MQTT_KEEP_ALIVE_TIMEOUT'));
  aedes.on('unsubscribe', (filters, client) => {
    for (const filter of filters) peers.get(client)?.filters.delete(filter);
  });
  const onTrouble = (client: Client, error: Error) => {
    log.debug({ clientId: client.id, reason: error.message }, 'connection ended');
  };
  aedes.on('clientError', onTrouble);
  aedes.on('connectionError', onTrouble);

  function cut(client: Client, peer: Peer, reason: 'AUTH_ERROR' | 'CLIENT_ERROR', code: number): void {
    peer.ends(reason);
    client.disconnect({ reasonCode: code });
  }

  registry.onChange(() => {
    for (const { client, peer } of [...live.values()]) {
      peer.forgetDecisions();
      if (isActive(peer.certificateId)) continue;
      log.warn(
        { clientId: client.id, principalId: peer.certificateId },
        'cut: its certificate is not active',
      );
      cut(client, peer, 'AUTH_ERROR', notAuthorized);
    }
  });

  function connect(socket: TLSSocket): void {
    socket.on('error', (error) => log.debug({ reason: error.message }, 'a connection broke'));
    const certificate = socket.getPeerX509Certificate();
    const ipAddress = socket.remoteAddress ?? '';
    const certificateId = certificate ? certificateIdOf(certificate.raw) : undefined;
    if (certificateId === undefined || !isActive(certificateId)) {
      const record = certificateId === undefined ? undefined : registry.certificates.find(certificateId);
      const why =
        certificateId === undefined
          ? 'no client certificate'
          : record === undefined
            ? 'the certificate is not registered'
            : record.status === 'ACTIVE'
              ? 'the certificate is expired or not yet valid'
              : `the certificate is ${record.status}`;
      log.warn({ act: 'connect', principalId: certificateId, ipAddress, why }, 'refused');
      socket.destroy();
      return;
    }
    const client = aedes.handle(socket);
    const peer = new Peer(registry, certificateId, ipAddress);
    peers.set(client, peer);
    guardPackets(
      client,
      (packet) => {
        if (packet.cmd === 'disconnect') peer.ends('CLIENT_INITIATED_DISCONNECT');
        const tooMany = packet.cmd === 'subscribe' && packet.subscriptions.length > filtersPerSubscribeMax;
        if (!tooMany) return true;
        const why = `more than ${filtersPerSubscribeMax} filters`;
        log.warn({ clientId: client.id, principalId: certificateId, act: 'subscribe', why }, 'refused');
        cut(client, peer, 'CLIENT_ERROR', protocolError);
        return false;
      },
      (error) => {
        log.warn({ clientId: client.id, principalId: certificateId, why: error.message }, 'refused');
        peer.ends('CLIENT_ERROR');
        socket.destroy();
      },
    );
  }

  const tls = createServer(
    {
      key: options.server.privateKeyPem,
      cert: options.server.certificatePem,
      requestCert: true,
      // Whose certificate it is, the registry says: it holds certificates of other CAs, too. TLS itself proves that
      // the client has the certificate's key.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      // A resumed connection would not show its certificate again.
      secureOptions: constants.SSL_OP_NO_TICKET,
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

  const timer = setInterval(() => sessions.forgetOld(Date.now()), forgetEveryMs);
  timer.unref();

  return {
    listen: () =>
      new Promise((resolve, reject) => {
        tls.once('error', reject);
        tls.listen(options.port, options.host, () => {
          tls.removeListener('error', reject);
          resolve((tls.address() as AddressInfo).port);
        });
      }),
    onMessage: ingress.onMessage,
    async publish(topic, payload, { qos = 0, retain = false, meta = {} } = {}) {
      await ingress.accept({ topic, payload, qos, retain, meta });
      if (!isForRulesOnly(topic)) deliver(topic, payload, qos);
    },
    publishAnswer(topic, payload) {
      ingress.tellListeners(topic, payload, {});
      deliver(topic, payload, 0);
    },
    answerTo({ clientId, principalId }, topic, payload) {
      const found = live.get(clientId);
      if (!found || found.peer.certificateId !== principalId) return;
      const packet = { cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false } as const;
      found.client.publish(packet, (error) => {
        if (error) log.debug({ err: error, topic, clientId }, 'an answer could not be delivered');
      });
    },
    connectedClients: () => [...live.keys()],
    async close() {
      isClosing = true;
      clearInterval(timer);
      const closed = tls.listening ? new Promise<void>((resolve) => tls.close(() => resolve())) : undefined;
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
