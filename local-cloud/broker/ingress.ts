/**
 * The one way into the broker for every message, from a device, over HTTPS or from a rule: what is retained, what is a
 * shadow's and what waits for a session is on disk, and the rules engine has seen it, before it is acknowledged.
 */

import { parseShadowTopic, type ShadowKey, type ShadowOperation } from '../engines/shadow-request.ts';
import { isForRulesOnly } from '../engines/topic-filter.ts';
import type { Store } from '../store/store.ts';
import { isExpired, type LazyBytes, type Message, messageOf, recordOf } from './message.ts';
import type { MessageProperties } from './records.ts';
import type { Session } from './session.ts';

export interface MessageMeta {
  clientId?: string;
  /** The certificate's id, or the access key's. */
  principalId?: string;
  ipAddress?: string;
  /** How many rules led to the message; left out: none. */
  hops?: number;
}

/** Sees every message, `$aws/…` too. Must not throw, nor wait. */
export type MessageListener = (topic: string, payload: LazyBytes, meta: MessageMeta) => void;

/** The rules engine, as messages come to it. */
export interface MessageTaker {
  /**
   * Does nothing yet. @returns undefined where no rule acts on it; else what has to be on disk before the publisher is told, and the start of
   * the actions, which neither throws nor rejects
   */
  take(
    topic: string,
    payload: LazyBytes,
    origin: MessageMeta & { properties?: MessageProperties },
    isAcknowledged: boolean,
  ): Taken | undefined;
}

export interface Taken {
  /** Why the rules can't take an acknowledged message now: nothing of it goes to disk, and `run` does nothing. */
  refused?: Error;
  noted?: Promise<void>;
  run(): Promise<void>;
}

/** A message of the cloud's own, not sent yet. */
export interface Announcement {
  /** Why it can't be sent now; nothing of it is on disk. */
  refused?: Error;
  /** What has to be on disk before anybody is told; left out: nothing. */
  noted?: Promise<void>;
  /** To rules, listeners and subscribers. */
  send(): void;
}

/** Who asks a service that answers the asking connection alone. */
export interface Asker {
  clientId: string;
  principalId: string;
}

/** A service of the cloud that takes requests on reserved topics, as fleet provisioning does. */
export interface TopicService {
  takes(topic: string): boolean;
  request(topic: string, payload: Buffer, from: Asker): Promise<void>;
}

export interface Incoming {
  message: Message;
  meta: MessageMeta;
  /** The publisher's. */
  session?: Session;
  /** The publisher is told that it was taken. */
  isAcknowledged: boolean;
  /** A last will: the shadow service ignores it (AWS IoT developer guide, "MQTT Last Will and Testament"). */
  isWill?: boolean;
  /** The connection has as many requests to shadows under way as it may have. */
  hasTooManyShadowRequests?: boolean;
}

export interface ShadowAsker {
  via: 'mqtt' | 'https';
  /** It has more under way than it may have: refused with 429. */
  isThrottled?: boolean | undefined;
  /** As in `MessageMeta`, for the messages that follow. */
  hops?: number | undefined;
}

export interface ShadowRequests {
  request(
    key: ShadowKey,
    operation: ShadowOperation,
    payload: Uint8Array,
    asker: ShadowAsker,
  ): Promise<unknown>;
}

export interface Ingress {
  /** @returns undefined where nothing has to wait for the disk */
  accept(incoming: Incoming): Promise<void> | undefined;
  announce(topic: string, payload: LazyBytes, meta: MessageMeta, isAcknowledged: boolean): Announcement;
  onMessage(listener: MessageListener): void;
  setRules(rules: MessageTaker): void;
  isServed(topic: string): boolean;
  retainedOn(topic: string): Message | undefined;
}

export interface IngressOptions {
  store: Pick<Store, 'retained'>;
  shadows: () => ShadowRequests;
  provisioning: () => TopicService;
  /** Hands a message of the cloud's own to subscribers, if there are any. */
  deliverAnswer(topic: string, payload: LazyBytes): void;
  /** Hands a message to subscribers. @returns what has to be on disk for those that are away */
  deliver(message: Message, from: Session | undefined): Promise<void>[];
  nowMs: () => number;
  listenerFailed(error: unknown, topic: string): void;
}

export function createIngress(options: IngressOptions): Ingress {
  const { store, shadows, provisioning, deliver, deliverAnswer, nowMs, listenerFailed } = options;
  const listeners: MessageListener[] = [];
  let rules: MessageTaker | undefined;

  function tellListeners(topic: string, payload: LazyBytes, meta: MessageMeta): void {
    for (const listener of listeners) {
      try {
        listener(topic, payload, meta);
      } catch (error) {
        listenerFailed(error, topic);
      }
    }
  }

  function retain(message: Message): Promise<void> {
    if (message.payload.length === 0) return store.retained.remove(message.topic);
    const { topic, ...record } = recordOf(message);
    return store.retained.put(topic, { ...record, atMs: nowMs() });
  }

  return {
    accept({ message, meta, session, isAcknowledged, isWill, hasTooManyShadowRequests }) {
      const { topic, payload } = message;
      const isReserved = topic.startsWith('$');
      if (isReserved && provisioning().takes(topic)) {
        // Keys and tokens are in these: no rule sees them, and a last will asks for nothing.
        const { clientId, principalId } = meta;
        if (isWill || clientId === undefined || principalId === undefined) return undefined;
        // It answers on topics of its own; its hook may take seconds.
        void provisioning().request(topic, payload, { clientId, principalId });
        return undefined;
      }
      const work: Promise<unknown>[] = [];
      if (message.retain && !isReserved) work.push(retain(message));
      const bytes = () => payload;
      const { properties } = message;
      const taken = rules?.take(topic, bytes, properties ? { ...meta, properties } : meta, isAcknowledged);
      if (taken?.refused) work.push(Promise.reject(taken.refused));
      if (taken?.noted) work.push(taken.noted);
      void taken?.run();
      tellListeners(topic, bytes, meta);
      if (!isForRulesOnly(topic)) work.push(...deliver(message, session));
      const shadow = isReserved && !isWill ? parseShadowTopic(topic) : undefined;
      if (shadow) {
        const { key, operation } = shadow;
        const asker = { via: 'mqtt', isThrottled: hasTooManyShadowRequests, hops: meta.hops } as const;
        work.push(shadows().request(key, operation, payload, asker));
      }
      return work.length === 0 ? undefined : Promise.all(work).then(() => undefined);
    },
    announce(topic, payload, meta, isAcknowledged) {
      const taken = rules?.take(topic, payload, meta, isAcknowledged);
      return {
        ...(taken?.refused && { refused: taken.refused }),
        ...(taken?.noted && { noted: taken.noted }),
        send() {
          void taken?.run();
          tellListeners(topic, payload, meta);
          deliverAnswer(topic, payload);
        },
      };
    },
    onMessage: (listener) => {
      listeners.push(listener);
    },
    setRules: (taker) => {
      rules = taker;
    },
    isServed: (topic) => provisioning().takes(topic),
    retainedOn(topic) {
      const record = store.retained.get(topic);
      if (!record) return undefined;
      const message = messageOf({ ...record, topic }, true);
      return isExpired(message, nowMs()) ? undefined : message;
    },
  };
}
