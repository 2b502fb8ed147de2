/**
 * The one way into the broker for every message, from a device, over HTTPS or from a rule: what is retained and what
 * is a shadow's is on disk, and the rules engine has seen it, before the message is acknowledged.
 */

import { parseShadowTopic } from '../engines/shadow-request.ts';
import { parseBasicIngest } from '../engines/topic-filter.ts';
import type { ProvisioningService } from '../provisioning/service.ts';
import type { ShadowService } from '../shadow-service.ts';
import type { Store } from '../store/store.ts';

export interface MessageMeta {
  clientId?: string;
  /** The certificate's id. */
  principalId?: string;
}

/** Sees every message, `$aws/…` too. Must not throw, nor wait. */
export type MessageListener = (topic: string, payload: Buffer, meta: MessageMeta) => void;

export interface IncomingMessage {
  topic: string;
  payload: Buffer;
  qos: 0 | 1;
  retain: boolean;
  /** A last will: the shadow service ignores it (AWS IoT developer guide, "MQTT Last Will and Testament"). */
  isWill?: boolean;
  meta: MessageMeta;
}

export interface Ingress {
  /** @returns whether the topic is of a service that answers the asking connection alone */
  isServiceTopic(topic: string): boolean;
  /** @returns undefined where nothing had to wait for the disk */
  accept(message: IncomingMessage): Promise<void> | undefined;
  tellListeners(topic: string, payload: Buffer, meta: MessageMeta): void;
  onMessage(listener: MessageListener): void;
}

/** @returns whether only rules may see the topic */
export function isForRulesOnly(topic: string): boolean {
  return parseBasicIngest(topic) !== undefined;
}

export function createIngress(
  store: Store,
  shadows: () => ShadowService,
  provisioning: () => ProvisioningService,
  listenerFailed: (error: unknown, topic: string) => void,
): Ingress {
  const listeners: MessageListener[] = [];

  function tellListeners(topic: string, payload: Buffer, meta: MessageMeta): void {
    for (const listener of listeners) {
      try {
        listener(topic, payload, meta);
      } catch (error) {
        listenerFailed(error, topic);
      }
    }
  }

  function retain({ topic, payload, qos }: IncomingMessage): Promise<void> {
    if (payload.length === 0) return store.retained.remove(topic);
    return store.retained.put(topic, { payload: payload.toString('base64'), qos, atMs: Date.now() });
  }

  return {
    isServiceTopic: (topic) => provisioning().takes(topic),
    accept(message) {
      const { topic, payload, meta } = message;
      if (topic.startsWith('$aws/') && provisioning().takes(topic)) {
        // Keys and tokens are in these: no rule sees them, and a last will asks for nothing.
        const { clientId, principalId } = meta;
        if (message.isWill || clientId === undefined || principalId === undefined) return undefined;
        void provisioning().request(topic, payload, { clientId, principalId });
        return undefined;
      }
      const work: Promise<unknown>[] = [];
      if (message.retain && !topic.startsWith('$')) work.push(retain(message));
      const shadow = message.isWill ? undefined : parseShadowTopic(topic);
      if (shadow) work.push(shadows().request(shadow.key, shadow.operation, payload, 'mqtt'));
      tellListeners(topic, payload, meta);
      return work.length === 0 ? undefined : Promise.all(work).then(() => undefined);
    },
    tellListeners,
    onMessage: (listener) => {
      listeners.push(listener);
    },
  };
}
