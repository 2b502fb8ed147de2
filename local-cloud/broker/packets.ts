/**
 * What a client may send, checked once. mqtt-packet hands out malformed packets too (a SUBSCRIBE without filters, -1 for
 * a number that was cut off, a list where a property came twice); behind this module every field has its type, and text
 * has what MQTT allows in it.
 */

import type { IPublishPacket, Packet } from 'mqtt-packet';
import { hasWildcard, isValidFilter } from '../engines/topic-filter.ts';
import type { MessageProperties } from './records.ts';

export interface WillPacket {
  topic: string;
  payload: Buffer;
  qos: 0 | 1 | 2;
  retain: boolean;
  delaySeconds: number;
  expirySeconds?: number;
  properties?: MessageProperties;
}

export interface ConnectPacket {
  cmd: 'connect';
  version: 3 | 4 | 5;
  clientId: string;
  clean: boolean;
  keepAliveSeconds: number;
  will?: WillPacket;
  /** MQTT 5. */
  sessionExpirySeconds: number;
  receiveMaximum: number;
  packetBytesMax: number;
  topicAliasMaximum: number;
  wantsProblems: boolean;
  asksForAuthentication: boolean;
}

export interface PublishPacket {
  cmd: 'publish';
  /** Empty where an alias stands for it. */
  topic: string;
  payload: Buffer;
  qos: 0 | 1 | 2;
  retain: boolean;
  /** 0 at QoS 0. */
  messageId: number;
  topicAlias?: number;
  expirySeconds?: number;
  properties?: MessageProperties;
}

export interface SubscriptionRequest {
  filter: string;
  qos: 0 | 1 | 2;
  noLocal: boolean;
  retainAsPublished: boolean;
  /** 0 always, 1 only where the subscription is new, 2 never. */
  retainHandling: number;
}

export type ClientPacket =
  | ConnectPacket
  | PublishPacket
  | { cmd: 'puback'; messageId: number }
  | { cmd: 'subscribe'; messageId: number; subscriptions: SubscriptionRequest[]; hasIdentifier: boolean }
  | { cmd: 'unsubscribe'; messageId: number; filters: string[] }
  | { cmd: 'pingreq' }
  | { cmd: 'disconnect'; reasonCode: number; sessionExpirySeconds?: number };

export class MalformedPacket extends Error {
  override name = 'MalformedPacket';
}

function fault(what: string): never {
  throw new MalformedPacket(what);
}

/** [MQTT-1.5.4-1], [MQTT-1.5.4-2]. What was no UTF-8 comes as U+FFFD. */
function text(value: unknown, what: string): string {
  if (typeof value !== 'string') return fault(`${what} is no text`);
  if (value.includes('\0')) return fault(`${what} contains a NUL`);
  if (value.includes('\ufffd')) return fault(`${what} is not UTF-8`);
  return value;
}

function whole(value: unknown, what: string, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  return fault(`${what} must be ${min} to ${max}: ${String(value)}`);
}

function bytes(value: unknown, what: string): Buffer {
  return Buffer.isBuffer(value) ? value : fault(`${what} is cut off`);
}

const seconds = (value: unknown, what: string) => whole(value, what, 0, 0xffff_ffff);
const messageIdOf = (value: unknown) => whole(value, 'the packet identifier', 1, 65_535);

function qosOf(value: unknown): 0 | 1 | 2 {
  return value === 0 || value === 1 || value === 2 ? value : fault(`QoS ${String(value)}`);
}

function userPropertiesOf(value: unknown): Record<string, string | string[]> {
  if (typeof value !== 'object' || value === null) return fault('the user properties are malformed');
  // Names come from outside: `__proto__` is a name like any other.
  const properties: Record<string, string | string[]> = Object.create(null);
  for (const [name, values] of Object.entries(value)) {
    properties[text(name, 'a user property')] = Array.isArray(values)
      ? values.map((each) => text(each, `the user property ${name}`))
      : text(values, `the user property ${name}`);
  }
  return properties;
}

/** @param raw as mqtt-packet parsed them */
function messageProperties(raw: IPublishPacket['properties']): { properties?: MessageProperties } {
  if (!raw) return {};
  const properties: MessageProperties = {};
  if (raw.payloadFormatIndicator !== undefined) {
    if (typeof raw.payloadFormatIndicator !== 'boolean') fault('the payload format indicator came twice');
    properties.payloadFormatIndicator = raw.payloadFormatIndicator;
  }
  if (raw.contentType !== undefined) properties.contentType = text(raw.contentType, 'the content type');
  if (raw.responseTopic !== undefined) {
    const topic = text(raw.responseTopic, 'the response topic');
    // [MQTT-3.3.2-14]
    if (topic === '' || hasWildcard(topic)) fault('the response topic is no topic');
    properties.responseTopic = topic;
  }
  if (raw.correlationData !== undefined) {
    properties.correlationData = bytes(raw.correlationData, 'the correlation data');
  }
  if (raw.userProperties !== undefined) properties.userProperties = userPropertiesOf(raw.userProperties);
  return Object.keys(properties).length === 0 ? {} : { properties };
}

function connectPacket(packet: Packet & { cmd: 'connect' }): ConnectPacket {
  const { properties = {}, will } = packet;
  const version = packet.protocolVersion;
  if (version !== 3 && version !== 4 && version !== 5) return fault('the protocol level is not known');
  const expiry = properties.sessionExpiryInterval;
  const checked: ConnectPacket = {
    cmd: 'connect',
    version,
    clientId: text(packet.clientId, 'the client id'),
    clean: packet.clean === true,
    keepAliveSeconds: whole(packet.keepalive, 'the keep-alive', 0, 65_535),
    sessionExpirySeconds: expiry === undefined ? 0 : seconds(expiry, 'the session expiry interval'),
    // [MQTT-3.1.2-22], [MQTT-3.1.2-24]: 0 is a protocol error.
    receiveMaximum: whole(properties.receiveMaximum ?? 65_535, 'the receive maximum', 1, 65_535),
    packetBytesMax: whole(properties.maximumPacketSize ?? 0xffff_ffff, 'the packet size', 1, 0xffff_ffff),
    topicAliasMaximum: whole(properties.topicAliasMaximum ?? 0, 'the topic alias maximum', 0, 65_535),
    wantsProblems: properties.requestProblemInformation !== false,
    asksForAuthentication:
      properties.authenticationMethod !== undefined || properties.authenticationData !== undefined,
  };
  if (!will) return checked;
  const { willDelayInterval, messageExpiryInterval } = will.properties ?? {};
  const topic = text(will.topic, "the will's topic");
  if (topic === '' || hasWildcard(topic)) fault("the will's topic is no topic");
  checked.will = {
    topic,
    payload: bytes(will.payload, "the will's payload"),
    qos: qosOf(will.qos),
    retain: will.retain === true,
    delaySeconds: willDelayInterval === undefined ? 0 : seconds(willDelayInterval, 'the will delay'),
    ...(messageExpiryInterval === undefined
      ? {}
      : { expirySeconds: seconds(messageExpiryInterval, "the will's expiry") }),
    ...messageProperties(will.properties),
  };
  return checked;
}

function publishPacket(packet: IPublishPacket): PublishPacket {
  const { properties } = packet;
  const qos = qosOf(packet.qos);
  const topic = text(packet.topic, 'the topic');
  // [MQTT-3.3.2-2]
  if (hasWildcard(topic)) fault('the topic has wildcards');
  const checked: PublishPacket = {
    cmd: 'publish',
    topic,
    payload: bytes(packet.payload, 'the payload'),
    qos,
    retain: packet.retain,
    messageId: qos === 0 ? 0 : messageIdOf(packet.messageId),
    ...messageProperties(properties),
  };
  if (properties?.topicAlias !== undefined) {
    checked.topicAlias = whole(properties.topicAlias, 'the topic alias', 0, 65_535);
  }
  if (properties?.messageExpiryInterval !== undefined) {
    checked.expirySeconds = seconds(properties.messageExpiryInterval, 'the message expiry interval');
  }
  if (topic === '' && checked.topicAlias === undefined) fault('the topic is empty');
  return checked;
}

function filterOf(value: unknown): string {
  const filter = text(value, 'a topic filter');
  if (filter === '') fault('a topic filter is empty');
  return isValidFilter(filter) ? filter : fault(`the topic filter ${filter} has a wildcard within a level`);
}

/** @throws MalformedPacket what a client must not send, and what a server alone may */
export function checkPacket(packet: Packet): ClientPacket {
  switch (packet.cmd) {
    case 'connect':
      return connectPacket(packet);
    case 'publish':
      return publishPacket(packet);
    case 'puback':
      return { cmd: 'puback', messageId: messageIdOf(packet.messageId) };
    case 'subscribe': {
      const subscriptions = packet.subscriptions.map(({ topic, qos, nl, rap, rh }) => ({
        filter: filterOf(topic),
        qos: qosOf(qos),
        noLocal: nl === true,
        retainAsPublished: rap === true,
        retainHandling: rh ?? 0,
      }));
      // [MQTT-3.8.3-2]
      if (subscriptions.length === 0) fault('a SUBSCRIBE without filters');
      const hasIdentifier = packet.properties?.subscriptionIdentifier !== undefined;
      return { cmd: 'subscribe', messageId: messageIdOf(packet.messageId), subscriptions, hasIdentifier };
    }
    case 'unsubscribe': {
      const filters = packet.unsubscriptions.map(filterOf);
      // [MQTT-3.10.3-2]
      if (filters.length === 0) fault('an UNSUBSCRIBE without filters');
      return { cmd: 'unsubscribe', messageId: messageIdOf(packet.messageId), filters };
    }
    case 'pingreq':
      return { cmd: 'pingreq' };
    case 'disconnect': {
      const expiry = packet.properties?.sessionExpiryInterval;
      return {
        cmd: 'disconnect',
        reasonCode: packet.reasonCode ?? 0,
        ...(expiry === undefined ? {} : { sessionExpirySeconds: seconds(expiry, 'the session expiry') }),
      };
    }
    default:
      return fault(`${packet.cmd.toUpperCase()} is not taken from a client`);
  }
}
