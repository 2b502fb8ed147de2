/** The MQTT broker, held to what AWS IoT Core does: over mutual TLS (`mutual-tls.ts`), and over WebSockets (`websocket.ts`). */

import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { createJustInTime } from '../provisioning/just-in-time.ts';
import type { Registry } from '../registry/registry.ts';
import type { Store } from '../store/store.ts';
import type { KeyAndCertificate } from '../tls/issuer.ts';
import type { BrokerParts } from './broker-parts.ts';
import { Connection, type ConnectionEvents } from './connection.ts';
import { type ConnectionSummary, summaryOf } from './connection-summary.ts';
import { createDelayedWills } from './delayed-wills.ts';
import { type DirectOutcome, sendDirect } from './direct-message.ts';
import {
  type Announcement,
  type Asker,
  createIngress,
  type MessageListener,
  type MessageMeta,
  type MessageTaker,
  type ShadowRequests,
  type TopicService,
} from './ingress.ts';
import { expiryOf, type LazyBytes, type Message } from './message.ts';
import { createMutualTls } from './mutual-tls.ts';
import { onConnect } from './on-connect.ts';
import { onPublish, publishWill } from './on-publish.ts';
import { onSubscribe, onUnsubscribe } from './on-subscribe.ts';
import type { ClientPacket } from './packets.ts';
import { Peer, type Principal } from './peer.ts';
import {
  type DisconnectReason,
  disconnectedEvent,
  type LifecycleEvent,
  openPresenceBook,
} from './presence.ts';
import { formerPrincipal } from './principals.ts';
import { Buckets, connectsPerSecond } from './rates.ts';
import { reasonCode } from './reason-codes.ts';
import type { MessageProperties } from './records.ts';
import { type Delivery, Router } from './router.ts';
import type { Session } from './session.ts';
import { SessionBook } from './session-book.ts';

/** AWS: an hour, where an account did not ask for more (7 days at most). */
const sessionExpirySecondsMax = 3600;
const sweepEveryMs = 500;
/** MQTT 5's "disconnect with will message". */
const withWill = 0x04;

export interface BrokerOptions {
  store: Store;
  registry: Registry;
  shadows: () => ShadowRequests;
  provisioning: () => TopicService;
  server: KeyAndCertificate;
  log: Logger;
  host: string;
  /** 0 is a free port. */
  port: number;
  nowMs: () => number;
  /** AWS: 30 to 1,200. */
  keepAliveSeconds?: { min: number; max: number };
  /** Whether AWS's rates hold: connects, publishes, bytes a second. */
  hasRates?: boolean;
}

export interface PublishOptions {
  qos?: 0 | 1;
  retain?: boolean;
  meta?: MessageMeta;
  properties?: MessageProperties;
  expirySeconds?: number;
}

export interface Disconnection {
  /** Ends the session, too. */
  cleanSession?: boolean;
  preventWill?: boolean;
}

export interface Broker {
  /** Starts to take connections. @returns the port */
  listen(): Promise<number>;
  /** Takes a connection whose client proved who it is. */
  handle(stream: Duplex, principal: Principal, ipAddress: string): Connection;
  onMessage(listener: MessageListener): void;
  /** Resolves when what the message changes (shadow, retained, queued) is on disk. */
  publish(topic: string, payload: Buffer, options?: PublishOptions): Promise<void>;
  /** The rules engine, which sees every message, `$aws/…` too. */
  setRules(rules: MessageTaker): void;
  /** What the shadow service sends: at QoS 0, once what rules need of it is on disk. `hops`: as in `MessageMeta`. */
  announce(topic: string, payload: LazyBytes, hops: number): Announcement;
  /** To the one connection that asked, if it is still there and subscribed to the topic, at QoS 0. */
  answerTo(asker: Asker, topic: string, payload: Buffer): void;
  /** To one client, subscribed or not. @param confirmMsMax left out: at QoS 0 */
  sendDirect(
    clientId: string,
    topic: string,
    payload: Buffer,
    options: { properties?: MessageProperties; confirmMsMax?: number },
  ): Promise<DirectOutcome>;
  connectedClients(): string[];
  /** undefined where the client is not connected and has no session (AWS: GetConnection, ListSubscriptions). */
  connectionOf(clientId: string): ConnectionSummary | undefined;
  /** @returns whether the client was connected, or had a session (AWS: DeleteConnection) */
  disconnect(clientId: string, options?: Disconnection): boolean;
  close(): Promise<void>;
}

/** Makes the broker; it takes connections after `listen`. */
export function createBroker(options: BrokerOptions): Broker {
  const { store, registry, log, nowMs } = options;
  const hasRates = options.hasRates === true;
  const live = new Map<string, Connection>();
  const connections = new Set<Connection>();
  const router = new Router(Math.random);
  const sessions = new SessionBook({
    store,
    router,
    nowMs,
    dropped: (clientId) =>
      log.warn(
        { clientId },
        'the queue of a session is full; newer messages are dropped until its client reads',
      ),
    failed: (error, clientId) => log.error({ err: error, clientId }, 'a session could not be stored'),
  });
  const ingress = createIngress({
    store,
    shadows: options.shadows,
    provisioning: options.provisioning,
    deliver,
    deliverAnswer,
    nowMs,
    listenerFailed: (error, topic) => log.error({ err: error, topic }, 'a listener failed on a message'),
  });

  function deliver(message: Message, from?: Session): Promise<void>[] {
    return deliverTo(router.route(message.topic, from), message);
  }

  function deliverTo(readers: ReadonlyMap<Session, Delivery>, message: Message): Promise<void>[] {
    const stored: Promise<void>[] = [];
    for (const [session, { qos, retainAsPublished }] of readers) {
      const retain = retainAsPublished && message.retain;
      if (qos === 1 && message.qos === 1) {
        const work = sessions.queue(session, message, retain);
        if (work) stored.push(work);
      } else {
        live.get(session.id)?.sendAtMostOnce(message, retain);
      }
    }
    return stored;
  }

  let isClosing = false;
  function announce({ topic, payload }: LifecycleEvent): void {
    // AWS publishes no event for a client id that cannot be a topic level. That the cloud itself ends is no news.
    if (isClosing || /[+#]/.test(topic)) return;
    ingress.announce(topic, () => payload, {}, false).send();
  }

  function deliverAnswer(topic: string, payload: LazyBytes): void {
    const readers = router.route(topic);
    if (readers.size > 0) deliverTo(readers, { topic, payload: payload(), qos: 0, retain: false });
  }

  const justInTime = createJustInTime({
    registry,
    publish: (topic, payload) => ingress.announce(topic, () => payload, {}, false).send(),
    nowMs,
    log,
  });
  const parts: BrokerParts = {
    sessions,
    ingress,
    presence: openPresenceBook(store, (error) => log.error({ err: error }, 'presence version not stored')),
    live,
    delayedWills: createDelayedWills({
      store,
      nowMs,
      publish(will, { clientId, principalId, ipAddress }) {
        const peer = new Peer(formerPrincipal(principalId, registry), ipAddress);
        peer.clientId = clientId;
        publishWill(parts, peer, will);
      },
      failed: (error, clientId) => log.error({ err: error, clientId }, 'a will could not be stored'),
    }),
    connects: hasRates ? new Buckets(connectsPerSecond) : undefined,
    keepAliveSeconds: options.keepAliveSeconds ?? { min: 30, max: 1200 },
    sessionExpirySecondsMax,
    nowMs,
    log,
    announce,
    refused({ peer }, act, name, why) {
      const { clientId, principal } = peer;
      log.warn({ clientId, principalId: principal.id, act, name, why }, 'refused');
    },
  };

  function onPacket(connection: Connection, packet: ClientPacket): void {
    if (connection.version === undefined) {
      // [MQTT-3.1.0-1]
      if (packet.cmd === 'connect') {
        onConnect(parts, connection, packet);
        return;
      }
      connection.close('CLIENT_ERROR');
      return;
    }
    switch (packet.cmd) {
      case 'connect':
        // [MQTT-3.1.0-2]
        connection.close('CLIENT_ERROR', reasonCode.protocolError, 'a second CONNECT');
        return;
      case 'publish':
        onPublish(parts, connection, packet);
        return;
      case 'puback':
        if (connection.session) sessions.acknowledged(connection.session, packet.messageId);
        return;
      case 'subscribe':
        onSubscribe(parts, connection, packet);
        return;
      case 'unsubscribe':
        onUnsubscribe(parts, connection, packet);
        return;
      case 'pingreq':
        connection.pingresp();
        return;
      case 'disconnect': {
        const { session, version } = connection;
        // AWS: a session that ends with its connection cannot be made to last.
        if (version === 5 && session?.isPersistent && packet.sessionExpirySeconds !== undefined) {
          const seconds = Math.min(packet.sessionExpirySeconds, sessionExpirySecondsMax);
          if (seconds > 0) session.expirySeconds = seconds;
          else void sessions.returned(session, 0);
        }
        if (packet.reasonCode !== withWill) connection.will = undefined;
        connection.close('CLIENT_INITIATED_DISCONNECT');
        return;
      }
    }
  }

  function onEnded(connection: Connection, reason: DisconnectReason): void {
    connections.delete(connection);
    const { session, presence, will, peer } = connection;
    const { clientId } = peer;
    if (!session) return;
    if (live.get(clientId) === connection) live.delete(clientId);
    session.endReason = reason;
    const lastsSeconds = session.expirySeconds;
    sessions.left(session);
    if (will && !isClosing) {
      const delaySeconds = Math.min(will.delaySeconds, lastsSeconds);
      if (delaySeconds > 0) parts.delayedWills.add(peer, will, delaySeconds);
      else publishWill(parts, peer, will);
    }
    if (presence) announce(disconnectedEvent(presence, reason, nowMs()));
    log.debug({ clientId, reason }, 'connection ended');
  }

  const events: ConnectionEvents = {
    ended: onEnded,
    refused: (connection, act, name, why) => parts.refused(connection, act, name, why),
    packet(connection, packet) {
      try {
        onPacket(connection, packet);
      } catch (error) {
        log.error({ err: error, clientId: connection.peer.clientId, cmd: packet.cmd }, 'a packet failed');
        connection.close('SERVER_ERROR', reasonCode.unspecifiedError);
      }
    },
  };

  function handle(stream: Duplex, principal: Principal, ipAddress: string): Connection {
    const connection = new Connection(stream, new Peer(principal, ipAddress), events, nowMs, hasRates);
    connections.add(connection);
    return connection;
  }

  registry.onChange(() => {
    for (const connection of [...connections]) {
      const { peer } = connection;
      peer.forgetDecisions();
      const why = peer.principal.fault();
      if (why === undefined) continue;
      log.warn({ clientId: peer.clientId, principalId: peer.principal.id, why }, 'cut');
      connection.close('AUTH_ERROR', reasonCode.notAuthorized, why);
    }
  });

  const tls = createMutualTls({ ...options, justInTime, handle });
  const timer = setInterval(() => sessions.sweep(), sweepEveryMs);
  timer.unref();

  return {
    async listen() {
      parts.delayedWills.resume();
      return tls.listen();
    },
    handle,
    onMessage: ingress.onMessage,
    async publish(topic, payload, { qos = 0, retain = false, meta = {}, properties, expirySeconds } = {}) {
      const message = { topic, payload, qos, retain, ...expiryOf(expirySeconds, nowMs()) };
      await ingress.accept({
        message: properties ? { ...message, properties } : message,
        meta,
        isAcknowledged: true,
      });
    },
    setRules: ingress.setRules,
    announce: (topic, payload, hops) => ingress.announce(topic, payload, { hops }, true),
    answerTo({ clientId, principalId }, topic, payload) {
      const connection = live.get(clientId);
      if (!connection?.session || connection.peer.principal.id !== principalId) return;
      if (!router.route(topic).has(connection.session)) return;
      connection.sendAtMostOnce({ topic, payload, qos: 0, retain: false }, false);
    },
    sendDirect(clientId, topic, payload, { properties, confirmMsMax }) {
      const message: Message = { topic, payload, qos: 1, retain: false };
      if (properties) message.properties = properties;
      return sendDirect(live.get(clientId), message, confirmMsMax);
    },
    connectedClients: () => [...live.keys()],
    connectionOf(clientId) {
      const session = sessions.find(clientId);
      return session && summaryOf(session, live.get(clientId));
    },
    disconnect(clientId, { cleanSession = false, preventWill = false } = {}) {
      const connection = live.get(clientId);
      if (connection) {
        if (preventWill) connection.will = undefined;
        connection.close('API_INITIATED_DISCONNECT', reasonCode.administrativeAction);
      }
      const session = sessions.find(clientId);
      if (session && cleanSession) {
        void sessions.end(session);
        parts.delayedWills.hurry(clientId);
      }
      return connection !== undefined || session !== undefined;
    },
    async close() {
      isClosing = true;
      clearInterval(timer);
      parts.delayedWills.stop();
      tls.stopListening();
      for (const connection of [...connections]) {
        connection.close('SERVER_INITIATED_DISCONNECT', reasonCode.serverShuttingDown);
      }
      await new Promise((resolve) => setImmediate(resolve));
      await tls.close();
    },
  };
}
