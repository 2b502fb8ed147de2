/** SUBSCRIBE and UNSUBSCRIBE. */

import { hasWildcard, parseSharedFilter } from '../engines/topic-filter.ts';
import type { BrokerParts } from './broker-parts.ts';
import type { Connection } from './connection.ts';
import type { ClientPacket, SubscriptionRequest } from './packets.ts';
import { filtersPerSubscribeMax, subscribeFault } from './permissions.ts';
import { subscriptionEvent } from './presence.ts';
import { type ReasonCode, reasonCode } from './reason-codes.ts';
import type { Session } from './session.ts';

type SubscribePacket = ClientPacket & { cmd: 'subscribe' };
/** MQTT 3.1.1's only code of a failure. */
const failed = 0x80;

/** @returns what ends the connection */
function packetFault({
  subscriptions,
  hasIdentifier,
}: SubscribePacket): { why: string; code: ReasonCode } | undefined {
  if (subscriptions.length > filtersPerSubscribeMax) {
    return { why: `more than ${filtersPerSubscribeMax} filters`, code: reasonCode.quotaExceeded };
  }
  if (hasIdentifier) {
    const why = 'subscription identifiers are not supported';
    return { why, code: reasonCode.subscriptionIdentifiersNotSupported };
  }
  // AWS sends no SUBACK for it.
  if (subscriptions.some(({ qos }) => qos === 2)) {
    return { why: 'QoS 2 is not supported', code: reasonCode.qosNotSupported };
  }
  // [MQTT-3.8.3-4]
  if (subscriptions.some(({ noLocal, filter }) => noLocal && parseSharedFilter(filter))) {
    return { why: 'No Local on a shared subscription', code: reasonCode.protocolError };
  }
  return undefined;
}

/** AWS sends a retained message to a subscription of its very topic. */
function sendRetained(
  parts: BrokerParts,
  connection: Connection,
  session: Session,
  { filter, qos }: SubscriptionRequest,
) {
  if (hasWildcard(filter) || parseSharedFilter(filter)) return;
  const message = parts.ingress.retainedOn(filter);
  if (!message) return;
  if (qos === 0 || message.qos === 0) connection.sendAtMostOnce(message, true);
  else
    parts.sessions
      .queue(session, message, true)
      ?.catch((error: unknown) => storeFailed(parts, connection, error));
}

function storeFailed(parts: BrokerParts, connection: Connection, error: unknown): void {
  parts.log.error({ err: error, clientId: connection.peer.clientId }, 'a session could not be stored');
  connection.close('SERVER_ERROR', reasonCode.unspecifiedError);
}

export function onSubscribe(parts: BrokerParts, connection: Connection, packet: SubscribePacket): void {
  const { sessions, nowMs } = parts;
  const { peer, session, version, presence } = connection;
  if (!session) return;
  const ending = packetFault(packet);
  if (ending) {
    const name = packet.subscriptions.map(({ filter }) => filter).join(' ');
    parts.refused(connection, 'subscribe', name, ending.why);
    connection.close('CLIENT_ERROR', ending.code, ending.why);
    return;
  }
  const granted: number[] = [];
  const taken: (SubscriptionRequest & { isNew: boolean })[] = [];
  for (const request of packet.subscriptions) {
    const { filter, qos, noLocal, retainAsPublished } = request;
    const isNew = !session.subscriptions.has(filter);
    const fault = subscribeFault(peer, filter, isNew ? session.subscriptions.size : undefined);
    if (fault) {
      parts.refused(connection, 'subscribe', filter, fault.why);
      // What the policies let pass before, and do not any more.
      if (fault.code === reasonCode.notAuthorized) sessions.unsubscribe(session, filter);
      granted.push(version === 5 ? fault.code : failed);
      continue;
    }
    sessions.subscribe(session, filter, qos === 0 ? 0 : 1, noLocal, retainAsPublished);
    granted.push(qos);
    taken.push({ ...request, isNew });
  }
  const acknowledge = () => {
    connection.suback(packet.messageId, granted);
    if (presence && taken.length > 0) {
      const topics = taken.map(({ filter }) => filter);
      parts.announce(subscriptionEvent('subscribed', presence, topics, nowMs()));
    }
    for (const request of taken) {
      const wantsRetained = request.retainHandling === 0 || (request.retainHandling === 1 && request.isNew);
      if (wantsRetained) sendRetained(parts, connection, session, request);
    }
  };
  const stored = sessions.save(session);
  if (!stored) {
    acknowledge();
    return;
  }
  stored.then(
    () => {
      if (!connection.isOver) acknowledge();
    },
    (error: unknown) => storeFailed(parts, connection, error),
  );
}

export function onUnsubscribe(
  parts: BrokerParts,
  connection: Connection,
  { filters, messageId }: ClientPacket & { cmd: 'unsubscribe' },
): void {
  const { session, presence } = connection;
  if (!session) return;
  const removed = filters.filter((filter) => parts.sessions.unsubscribe(session, filter));
  const acknowledge = () => {
    // AWS knows success alone: no "no subscription existed".
    connection.unsuback(
      messageId,
      filters.map(() => reasonCode.success),
    );
    if (!presence || removed.length === 0) return;
    parts.announce(subscriptionEvent('unsubscribed', presence, removed, parts.nowMs()));
  };
  const stored = removed.length > 0 ? parts.sessions.save(session) : undefined;
  if (!stored) {
    acknowledge();
    return;
  }
  stored.then(acknowledge, (error: unknown) => storeFailed(parts, connection, error));
}
