/** What a client may publish and subscribe to: AWS's limits, reserved topics, and its policies. */

import { parseShadowTopic } from '../engines/shadow-request.ts';
import { isForRulesOnly, parseSharedFilter, sizeFault } from '../engines/topic-filter.ts';
import type { Peer } from './peer.ts';
import { type ReasonCode, reasonCode } from './reason-codes.ts';

export const payloadBytesMax = 128 * 1024;
/** Subscriptions of one connection, and filters of one SUBSCRIBE. */
export const subscriptionsMax = 50;
export const filtersPerSubscribeMax = 8;

export interface Fault {
  why: string;
  code: ReasonCode;
}

const notAuthorized = (why: string | undefined): Fault | undefined =>
  why === undefined ? undefined : { why, code: reasonCode.notAuthorized };

/** @param isServed whether a service of the cloud takes requests on a reserved topic */
export function publishFault(
  peer: Peer,
  { topic, payload, qos, retain }: { topic: string; payload: Buffer; qos: 0 | 1 | 2; retain: boolean },
  isServed: (topic: string) => boolean,
): Fault | undefined {
  const size = sizeFault(topic);
  if (size) return { why: `the topic ${size}`, code: reasonCode.topicNameInvalid };
  if (payload.length > payloadBytesMax) {
    return {
      why: `the payload has ${payload.length} bytes, more than ${payloadBytesMax}`,
      code: reasonCode.packetTooLarge,
    };
  }
  if (qos === 2) return { why: 'QoS 2 is not supported', code: reasonCode.qosNotSupported };
  if (topic.startsWith('$')) {
    if (!parseShadowTopic(topic) && !isForRulesOnly(topic) && !isServed(topic)) {
      return { why: 'topics that start with $ are reserved', code: reasonCode.topicNameInvalid };
    }
    if (retain) return { why: 'nothing is retained on a reserved topic', code: reasonCode.topicNameInvalid };
  }
  return notAuthorized(
    peer.fault('iot:Publish', topic) ?? (retain ? peer.fault('iot:RetainPublish', topic) : undefined),
  );
}

/** @param count of the session's subscriptions; undefined where the filter is one of them already */
export function subscribeFault(peer: Peer, filter: string, count: number | undefined): Fault | undefined {
  const invalid = (why: string): Fault => ({ why, code: reasonCode.topicFilterInvalid });
  const size = sizeFault(filter);
  if (size) return invalid(`the filter ${size}`);
  if (filter.startsWith('$') && !filter.startsWith('$aws/') && !parseSharedFilter(filter)) {
    return invalid('filters that start with $ are reserved');
  }
  const denied = notAuthorized(peer.fault('iot:Subscribe', filter));
  if (denied) return denied;
  if (count !== undefined && count >= subscriptionsMax) {
    return { why: `a connection can have ${subscriptionsMax} subscriptions`, code: reasonCode.quotaExceeded };
  }
  return undefined;
}
