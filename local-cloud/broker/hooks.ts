/** What aedes asks before it connects, publishes, subscribes and delivers: policies and AWS's limits. */

import type { Socket } from 'node:net';
import type { Aedes, AuthenticateError, Client, PublishPacket, Subscription } from 'aedes';
import type { Logger } from 'pino';
import type { Decision, PolicyAction } from '../engines/policy.ts';
import { parseShadowTopic } from '../engines/shadow-request.ts';
import { isValidFilter, sizeFault } from '../engines/topic-filter.ts';
import { type Ingress, isForRulesOnly } from './ingress.ts';
import { type Peer, subscriptionsMax } from './peer.ts';

export const payloadBytesMax = 128 * 1024;
/** A connection with more than this not yet read by its client is cut. */
const unreadBytesMax = 4 * 1024 * 1024;
const clientIdBytesMax = 128;

/** MQTT 5 reason codes of the DISCONNECT that tells a client what it did. */
const reasonCode = {
  notAuthorized: 0x87,
  topicNameInvalid: 0x90,
  packetTooLarge: 0x95,
  qosNotSupported: 0x9b,
};

export class Refused extends Error {
  override name = 'Refused';
}

export interface HookContext {
  peerOf(client: Client): Peer | undefined;
  isActive(certificateId: string): boolean;
  /** The client id is this connection's from now on. */
  admitted(client: Client): void;
  /** Subscriptions that may be kept with the session. */
  granted: WeakSet<object>;
  /** A subscription that the policies do not let pass any more. */
  withdrawn(client: Client, filter: string): void;
  ingress: Ingress;
  log: Logger;
  keepAliveSeconds: { min: number; max: number };
}

type Hooks = Pick<
  Aedes,
  'preConnect' | 'authenticate' | 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward'
>;

export function createHooks(context: HookContext): Hooks {
  const { peerOf, isActive, ingress, log, keepAliveSeconds } = context;
  /** aedes hands a will to `authorizePublish` as it came in CONNECT. */
  const wills = new WeakSet<object>();

  const refuse = (peer: Peer | undefined, act: string, name: string, why: string): Refused => {
    log.warn({ clientId: peer?.clientId, principalId: peer?.certificateId, act, name, why }, 'refused');
    return new Refused(`${act} ${name}: ${why}`);
  };

  /** @returns why a policy does not let the peer do it, or undefined */
  const policyFault = (peer: Peer, action: PolicyAction, name: string): string | undefined => {
    let decision: Decision;
    try {
      decision = peer.decide(action, name);
    } catch (error) {
      log.error({ err: error, clientId: peer.clientId }, 'the policies of a connection could not be read');
      return 'its policies could not be read';
    }
    if (decision === 'allowed') return undefined;
    return decision === 'denied' ? `a policy denies ${action}` : `no policy allows ${action}`;
  };

  function publishFault(
    peer: Peer,
    { topic, payload, qos, retain }: PublishPacket,
  ): { why: string; code: number } | undefined {
    const size = sizeFault(topic);
    if (size) return { why: `the topic ${size}`, code: reasonCode.topicNameInvalid };
    if (payload.length > payloadBytesMax) {
      return {
        why: `the payload has ${payload.length} bytes, more than ${payloadBytesMax}`,
        code: reasonCode.packetTooLarge,
      };
    }
    if (qos === 2) return { why: 'QoS 2 is not supported', code: reasonCode.qosNotSupported };
    const isReserved =
      topic.startsWith('$') &&
      !parseShadowTopic(topic) &&
      !isForRulesOnly(topic) &&
      !ingress.isServiceTopic(topic);
    if (isReserved) {
      return { why: 'topics that start with $ are reserved', code: reasonCode.topicNameInvalid };
    }
    const fault =
      policyFault(peer, 'iot:Publish', topic) ??
      (retain ? policyFault(peer, 'iot:RetainPublish', topic) : undefined);
    return fault ? { why: fault, code: reasonCode.notAuthorized } : undefined;
  }

  return {
    preConnect(client, packet, callback) {
      const { clientId } = packet;
      const fault =
        Buffer.byteLength(clientId) > clientIdBytesMax
          ? `is longer than ${clientIdBytesMax} bytes`
          : clientId in {} || hasControlCharacter(clientId)
            ? 'is not valid'
            : undefined;
      if (fault)
        return callback(refuse(peerOf(client), 'connect', clientId, `the client id ${fault}`), false);
      if (packet.will) wills.add(packet.will);
      const { min, max } = keepAliveSeconds;
      // MQTT 5 clients are told of the maximum by aedes; AWS sets the others' silently.
      if (packet.protocolVersion !== 5 && !packet.keepalive) packet.keepalive = max;
      if (packet.keepalive) {
        const limit = packet.protocolVersion === 5 ? packet.keepalive : max;
        packet.keepalive = Math.max(min, Math.min(limit, packet.keepalive));
      }
      callback(null, true);
    },

    authenticate(client, _username, _password, callback) {
      const peer = peerOf(client);
      const deny = (why: string) => {
        peer?.ends('AUTH_ERROR');
        const error = refuse(peer, 'connect', client.id, why);
        callback(Object.assign(error, { returnCode: 5 }) as AuthenticateError, false);
      };
      if (!peer || !isActive(peer.certificateId)) return deny('the certificate is not active');
      peer.clientId = client.id;
      const fault = policyFault(peer, 'iot:Connect', client.id);
      if (fault) return deny(fault);
      context.admitted(client);
      callback(null, true);
    },

    authorizePublish(client, packet, callback) {
      if (client === null) return callback(null);
      const peer = peerOf(client);
      if (!peer) return callback(new Refused('the connection is not known'));
      const { topic, retain } = packet;
      const isWill = wills.has(packet);
      const fault = publishFault(peer, packet);
      if (fault) {
        const error = refuse(peer, isWill ? 'will' : 'publish', topic, fault.why);
        if (isWill) return callback(error);
        peer.ends(fault.code === reasonCode.notAuthorized ? 'AUTH_ERROR' : 'CLIENT_ERROR');
        callback(error);
        return client.disconnect({ reasonCode: fault.code });
      }
      const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload);
      const work = ingress.accept({
        topic,
        payload,
        qos: packet.qos === 0 ? 0 : 1,
        retain,
        isWill,
        meta: { clientId: peer.clientId, principalId: peer.certificateId },
      });
      if (!work && !peer.pending) return callback(null);
      const before = peer.pending;
      const turn = (before ?? Promise.resolve())
        .then(() => work)
        .then(
          () => callback(null),
          (error: unknown) => {
            log.error({ topic, err: error }, 'a message could not be stored, and is not acknowledged');
            callback(error instanceof Error ? error : new Error(String(error)));
          },
        );
      const settled = turn.finally(() => {
        if (peer.pending === settled) peer.pending = undefined;
      });
      peer.pending = settled;
    },

    authorizeSubscribe(client, subscription, callback) {
      const peer = peerOf(client);
      if (!peer) return callback(new Refused('the connection is not known'));
      if (peer.endReason) return callback(null, null);
      const { topic, qos } = subscription;
      const denied = policyFault(peer, 'iot:Subscribe', topic);
      if (denied) context.withdrawn(client, topic);
      const fault = subscribeFault(peer, topic, qos) ?? denied;
      if (fault) {
        refuse(peer, 'subscribe', topic, fault);
        // MQTT 3: SUBACK 0x80; MQTT 5: 0x87.
        return callback(null, null);
      }
      peer.filters.add(topic);
      context.granted.add(subscription);
      callback(null, subscription as Subscription);
    },

    authorizeForward(client, packet) {
      const peer = peerOf(client);
      if (!peer || isForRulesOnly(packet.topic)) return null;
      const socket = client.conn as Socket;
      if (socket.writableLength > unreadBytesMax) {
        if (!socket.destroyed) {
          refuse(
            peer,
            'receive',
            packet.topic,
            `the client does not read: ${unreadBytesMax} bytes wait for it`,
          );
          peer.ends('CONNECTION_LOST');
          socket.destroy();
        }
        return null;
      }
      const fault = policyFault(peer, 'iot:Receive', packet.topic);
      if (!fault) return packet;
      if (peer.firstRefusal(packet.topic)) refuse(peer, 'receive', packet.topic, fault);
      return null;
    },
  };
}

function hasControlCharacter(text: string): boolean {
  return [...text].some((character) => character < ' ');
}

function subscribeFault(peer: Peer, filter: string, qos: number): string | undefined {
  const size = sizeFault(filter);
  if (size) return `the filter ${size}`;
  if (!isValidFilter(filter)) return 'the filter is not valid';
  if (qos === 2) return 'QoS 2 is not supported';
  if (filter.startsWith('$share/')) return 'the local cloud does not have shared subscriptions';
  if (filter.startsWith('$') && !filter.startsWith('$aws/')) return 'filters that start with $ are reserved';
  if (filter in {}) return 'the filter is reserved';
  if (!peer.filters.has(filter) && peer.filters.size >= subscriptionsMax) {
    return `a connection can have ${subscriptionsMax} subscriptions`;
  }
  return undefined;
}
