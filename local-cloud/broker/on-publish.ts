/** PUBLISH of a client, and its last will. */

import { parseShadowTopic } from '../engines/shadow-request.ts';
import type { BrokerParts } from './broker-parts.ts';
import { type Connection, inFlightMax, topicAliasesMax } from './connection.ts';
import { expiryOf, type Message } from './message.ts';
import type { PublishPacket, WillPacket } from './packets.ts';
import type { Peer } from './peer.ts';
import { publishFault } from './permissions.ts';
import { shadowRequestsInFlightMax } from './rates.ts';
import { reasonCode } from './reason-codes.ts';
import type { MessageProperties } from './records.ts';

function messageOf(
  packet: { payload: Buffer; retain: boolean; expirySeconds?: number; properties?: MessageProperties },
  topic: string,
  qos: 0 | 1,
  nowMs: number,
): Message {
  return {
    topic,
    payload: packet.payload,
    qos,
    retain: packet.retain,
    ...(packet.properties ? { properties: packet.properties } : {}),
    ...expiryOf(packet.expirySeconds, nowMs),
  };
}

/** @returns undefined where its alias is not known */
function topicOf({ aliases }: Connection, { topic, topicAlias }: PublishPacket): string | undefined {
  if (topicAlias === undefined) return topic;
  // [MQTT-3.3.2-8], [MQTT-3.3.2-9]
  if (topicAlias < 1 || topicAlias > topicAliasesMax) return undefined;
  if (topic === '') return aliases.get(topicAlias);
  aliases.set(topicAlias, topic);
  return topic;
}

export function onPublish(parts: BrokerParts, connection: Connection, packet: PublishPacket): void {
  const { ingress, nowMs, log } = parts;
  const { peer, session, rates } = connection;
  const topic = topicOf(connection, packet);
  if (topic === undefined) {
    parts.refused(connection, 'publish', packet.topic, 'its topic alias is not valid');
    connection.close('CLIENT_ERROR', reasonCode.topicAliasInvalid);
    return;
  }
  const { qos, messageId } = packet;
  const fault = publishFault(peer, { ...packet, topic }, ingress.isServed);
  if (fault || qos === 2) {
    const { why, code } = fault ?? { why: 'QoS 2 is not supported', code: reasonCode.qosNotSupported };
    parts.refused(connection, 'publish', topic, why);
    const hasPuback = code === reasonCode.notAuthorized || code === reasonCode.topicNameInvalid;
    if (qos === 1 && hasPuback) connection.expectAcknowledgement(messageId)(code, why);
    const reason = code === reasonCode.notAuthorized ? 'AUTH_ERROR' : 'CLIENT_ERROR';
    connection.close(reason, code, why);
    return;
  }
  if (connection.unacknowledged >= inFlightMax && qos === 1 && connection.version === 5) {
    parts.refused(connection, 'publish', topic, `more than ${inFlightMax} messages are not acknowledged`);
    connection.close('CLIENT_ERROR', reasonCode.receiveMaximumExceeded);
    return;
  }
  if (rates && !rates.publishes.take(1, nowMs())) {
    // AWS: "publish requests that exceed that quota are discarded".
    const why = 'the connection publishes too fast';
    if (peer.firstRefusal('')) parts.refused(connection, 'publish', topic, why);
    if (qos === 1 && connection.version === 5) {
      connection.expectAcknowledgement(messageId)(reasonCode.quotaExceeded, why);
    }
    return;
  }

  const isShadowRequest = topic.startsWith('$') && parseShadowTopic(topic) !== undefined;
  const hasTooManyShadowRequests =
    isShadowRequest && rates !== undefined && connection.shadowRequestsInFlight >= shadowRequestsInFlightMax;
  const acknowledge = qos === 1 ? connection.expectAcknowledgement(messageId) : undefined;
  const work = ingress.accept({
    message: messageOf(packet, topic, qos, nowMs()),
    meta: { clientId: peer.clientId, principalId: peer.principal.id, ipAddress: peer.ipAddress },
    isAcknowledged: qos === 1,
    hasTooManyShadowRequests,
    ...(session ? { session } : {}),
  });
  if (!work) {
    acknowledge?.(reasonCode.success);
    return;
  }
  if (isShadowRequest) connection.shadowRequestsInFlight++;
  if (connection.unacknowledged >= inFlightMax) connection.holdBack(true);
  work
    .then(
      () => acknowledge?.(reasonCode.success),
      (error: unknown) => {
        log.error({ topic, err: error }, 'a message could not be stored, and is not acknowledged');
        acknowledge?.(reasonCode.unspecifiedError, 'the message could not be stored');
        connection.close('SERVER_ERROR', reasonCode.unspecifiedError);
      },
    )
    .finally(() => {
      if (isShadowRequest) connection.shadowRequestsInFlight--;
      if (connection.unacknowledged < inFlightMax) connection.holdBack(false);
    });
}

/** The client is gone without a goodbye. What its policies no longer let be published is not. */
export function publishWill(parts: BrokerParts, peer: Peer, will: WillPacket): void {
  const fault = publishFault(peer, will, parts.ingress.isServed);
  if (fault) {
    parts.refused({ peer }, 'will', will.topic, fault.why);
    return;
  }
  parts.ingress
    .accept({
      message: messageOf(will, will.topic, will.qos === 0 ? 0 : 1, parts.nowMs()),
      meta: { clientId: peer.clientId, principalId: peer.principal.id, ipAddress: peer.ipAddress },
      isAcknowledged: will.qos === 1,
      isWill: true,
    })
    ?.catch((error: unknown) => {
      parts.log.error({ topic: will.topic, err: error }, 'a will could not be stored');
    });
}
