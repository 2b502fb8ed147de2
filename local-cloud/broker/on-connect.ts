/** CONNECT: limits, policies, the session, and CONNACK. */

import { randomUUID } from 'node:crypto';
import type { BrokerParts } from './broker-parts.ts';
import { type Connection, inFlightMax, topicAliasesMax } from './connection.ts';
import type { ConnectPacket } from './packets.ts';
import { type Fault, publishFault } from './permissions.ts';
import { connectedEvent, connectFailedEvent } from './presence.ts';
import { type ReasonCode, type ReturnCode, reasonCode, returnCode } from './reason-codes.ts';
import type { Session } from './session.ts';
import { packetBytesMax } from './wire.ts';

const clientIdBytesMax = 128;
/** AWS keeps a persistent session of MQTT 3 for an hour. */
const sessionSecondsOfMqtt3 = 3600;

interface Refusal extends Fault {
  /** MQTT 3's code. */
  old: ReturnCode;
}

const refusal = (why: string, code: ReasonCode, old: ReturnCode): Refusal => ({ why, code, old });

function clientIdFault({ clientId, version, clean }: ConnectPacket): string | undefined {
  // [MQTT-3.1.3-8]
  if (clientId === '') return version !== 5 && !clean ? 'is empty, for a session that persists' : undefined;
  if (Buffer.byteLength(clientId) > clientIdBytesMax) return `is longer than ${clientIdBytesMax} bytes`;
  if (clientId.startsWith('$')) return 'starts with $';
  return [...clientId].some((character) => character < ' ') ? 'has control characters' : undefined;
}

function connectFault(
  parts: BrokerParts,
  connection: Connection,
  packet: ConnectPacket,
): Refusal | undefined {
  const { peer } = connection;
  if (packet.asksForAuthentication) {
    const why = 'enhanced authentication is not supported';
    return refusal(why, reasonCode.badAuthenticationMethod, returnCode.notAuthorized);
  }
  const id = clientIdFault(packet);
  if (id) {
    return refusal(`the client id ${id}`, reasonCode.clientIdentifierNotValid, returnCode.identifierRejected);
  }
  const unauthorized = peer.principal.fault() ?? peer.fault('iot:Connect', peer.clientId);
  if (unauthorized) return refusal(unauthorized, reasonCode.notAuthorized, returnCode.notAuthorized);
  if (packet.will) {
    const fault = publishFault(peer, packet.will, parts.ingress.isServed);
    if (fault) return refusal(`its will: ${fault.why}`, fault.code, returnCode.notAuthorized);
  }
  if (parts.connects && !parts.connects.take(peer.clientId, parts.nowMs())) {
    const why = 'a client id may connect once a second';
    return refusal(why, reasonCode.quotaExceeded, returnCode.serverUnavailable);
  }
  return undefined;
}

function refuse(parts: BrokerParts, connection: Connection, { why, code, old }: Refusal): void {
  const { peer, version } = connection;
  parts.refused(connection, 'connect', peer.clientId, why);
  if (code === reasonCode.notAuthorized) {
    parts.announce(connectFailedEvent(peer.clientId, peer.principal.id, peer.ipAddress, parts.nowMs()));
  }
  const answer =
    version === 5 ? { reasonCode: code, properties: { reasonString: why } } : { returnCode: old };
  connection.connack({ sessionPresent: false, ...answer });
  connection.close(code === reasonCode.quotaExceeded ? 'THROTTLED' : 'AUTH_ERROR');
}

/** The session of before, where the client wants it and it is one of the same protocol; else a new one. */
function takeSession(
  parts: BrokerParts,
  connection: Connection,
  { clean, version }: ConnectPacket,
  expirySeconds: number,
): { session: Session; isResumed: boolean; stored: Promise<void> | undefined } {
  const { sessions } = parts;
  const { peer } = connection;
  const kind = version === 5 ? 5 : 3;
  const before = sessions.find(peer.clientId);
  if (clean || before?.kind !== kind) {
    parts.delayedWills.hurry(peer.clientId);
    const { session, stored } = sessions.create(peer.clientId, kind, expirySeconds);
    return { session, isResumed: false, stored };
  }
  parts.delayedWills.cancel(peer.clientId);
  for (const filter of [...before.subscriptions.keys()]) {
    const why = peer.fault('iot:Subscribe', filter);
    if (why === undefined) continue;
    parts.refused(connection, 'subscribe', filter, why);
    sessions.unsubscribe(before, filter);
  }
  return { session: before, isResumed: true, stored: sessions.returned(before, expirySeconds) };
}

function keepAliveOf(
  { keepAliveSeconds }: ConnectPacket,
  { min, max }: { min: number; max: number },
): number {
  return keepAliveSeconds === 0 ? max : Math.min(max, Math.max(min, keepAliveSeconds));
}

export function onConnect(parts: BrokerParts, connection: Connection, packet: ConnectPacket): void {
  const { peer } = connection;
  const { version } = packet;
  connection.speak(version);
  connection.wantsProblems = packet.wantsProblems;
  peer.clientId = packet.clientId;
  const assignedClientIdentifier = packet.clientId === '' ? randomUUID() : undefined;
  if (assignedClientIdentifier !== undefined) peer.clientId = assignedClientIdentifier;
  const fault = connectFault(parts, connection, packet);
  if (fault) {
    refuse(parts, connection, fault);
    return;
  }

  const { live, log, nowMs, sessionExpirySecondsMax } = parts;
  live.get(peer.clientId)?.close('DUPLICATE_CLIENTID', reasonCode.sessionTakenOver);
  const wanted = version === 5 ? packet.sessionExpirySeconds : packet.clean ? 0 : sessionSecondsOfMqtt3;
  const expirySeconds = version === 5 ? Math.min(wanted, sessionExpirySecondsMax) : wanted;
  const { session, isResumed, stored } = takeSession(parts, connection, packet, expirySeconds);
  connection.session = session;
  connection.inFlightMax = Math.min(inFlightMax, packet.receiveMaximum);
  connection.packetBytesMax = packet.packetBytesMax;
  connection.ownAliasesMax = Math.min(topicAliasesMax, packet.topicAliasMaximum);
  if (packet.will) connection.will = packet.will;
  connection.onReady = () => parts.sessions.pump(session);
  live.set(peer.clientId, connection);

  const grant = () => {
    if (connection.isOver) return;
    const keepAliveSeconds = keepAliveOf(packet, parts.keepAliveSeconds);
    connection.open(keepAliveSeconds);
    const properties = {
      receiveMaximum: inFlightMax,
      maximumQoS: 1,
      retainAvailable: true,
      maximumPacketSize: packetBytesMax,
      topicAliasMaximum: topicAliasesMax,
      wildcardSubscriptionAvailable: true,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: true,
      ...(expirySeconds === wanted ? {} : { sessionExpiryInterval: expirySeconds }),
      ...(keepAliveSeconds === packet.keepAliveSeconds ? {} : { serverKeepAlive: keepAliveSeconds }),
      ...(assignedClientIdentifier === undefined ? {} : { assignedClientIdentifier }),
    };
    connection.connack({
      sessionPresent: isResumed,
      ...(version === 5 ? { reasonCode: reasonCode.success, properties } : { returnCode: 0 }),
    });
    connection.presence = parts.presence.open(peer.clientId, peer.principal.id, peer.ipAddress);
    parts.announce(connectedEvent(connection.presence, nowMs()));
    session.attach(connection);
    parts.sessions.pump(session);
  };
  if (!stored) {
    grant();
    return;
  }
  const granted = stored.then(grant).catch((error: unknown) => {
    log.error({ err: error, clientId: peer.clientId }, 'a session could not be stored');
    connection.close('SERVER_ERROR', reasonCode.unspecifiedError);
  });
  void connection.hold(granted);
}
