/** Shadows on disk: each request is answered after its change is synced, requests to one shadow one after the other. */

import type { JsonObject } from './engines/json-tree.ts';
import { applyShadowRequest, isForgotten, living, type ShadowMessage } from './engines/shadow.ts';
import { type ShadowKey, type ShadowOperation, shadowTopicPrefix } from './engines/shadow-request.ts';
import { pairKey, pairOf, type Store } from './store/store.ts';

/** `(topic, payload)`, sent at QoS 0: an acknowledged QoS 1 costs the AWS SDK 44 ms. */
export type ShadowPublish = (topic: string, payload: Buffer) => void;

export interface ShadowService {
  /**
   * Stores, publishes the messages, and returns the first: accepted or rejected. An asker over HTTPS gets its answer
   * there: of its requests only what changed a shadow is published.
   */
  request(
    key: ShadowKey,
    operation: ShadowOperation,
    payload: Uint8Array,
    via: 'mqtt' | 'https',
  ): Promise<ShadowMessage>;
  /** What a get would answer; undefined where there is no such shadow. */
  read(key: ShadowKey): JsonObject | undefined;
  namedShadowsOf(thing: string): string[];
  /** Drops what is left of shadows that were deleted long ago. */
  forgetOld(): Promise<void>;
}

export function createShadowService(
  store: Store,
  publish: ShadowPublish,
  nowMs: () => number,
  failed: (error: unknown, topic: string) => void,
): ShadowService {
  const running = new Map<string, Promise<unknown>>();

  async function apply(
    key: ShadowKey,
    operation: ShadowOperation,
    payload: Uint8Array,
    via: 'mqtt' | 'https',
  ): Promise<ShadowMessage> {
    const id = pairKey(key.thing, key.shadow ?? '');
    const prefix = shadowTopicPrefix(key);
    const outcome = applyShadowRequest(store.shadows.get(id), { key, operation, payload }, nowMs());
    let { answer, messages } = outcome;
    try {
      if (outcome.store) await store.shadows.put(id, outcome.store);
    } catch (error) {
      failed(error, `${prefix}/${operation}`);
      const { clientToken } = answer.payload;
      answer = {
        tail: `${operation}/rejected`,
        payload: {
          code: 500,
          message: 'Internal service failure',
          ...(clientToken === undefined ? {} : { clientToken }),
        },
      };
      messages = [answer];
    }
    for (const message of messages) {
      if (via === 'https' && (operation === 'get' || message.tail.endsWith('/rejected'))) continue;
      publish(`${prefix}/${message.tail}`, Buffer.from(JSON.stringify(message.payload)));
    }
    return answer;
  }

  return {
    request(key, operation, payload, via) {
      const id = pairKey(key.thing, key.shadow ?? '');
      const before = running.get(id) ?? Promise.resolve();
      const result = before.then(() => apply(key, operation, payload, via));
      const settled = result
        .catch(() => undefined)
        .finally(() => {
          if (running.get(id) === settled) running.delete(id);
        });
      running.set(id, settled);
      return result;
    },
    read(key) {
      const request = { key, operation: 'get', payload: new Uint8Array() } as const;
      const stored = store.shadows.get(pairKey(key.thing, key.shadow ?? ''));
      const { answer } = applyShadowRequest(stored, request, nowMs());
      return answer.tail === 'get/accepted' ? answer.payload : undefined;
    },
    namedShadowsOf(thing) {
      const names: string[] = [];
      for (const shadow of store.shadows.pairedWith(thing)) {
        if (shadow !== '' && living(store.shadows.get(pairKey(thing, shadow)))) names.push(shadow);
      }
      return names;
    },
    async forgetOld() {
      const now = nowMs();
      for (const [key, shadow] of [...store.shadows.entries()]) {
        const [thing, name] = pairOf(key);
        // Not while a request may make it again.
        if (isForgotten(shadow, now) && !running.has(pairKey(thing, name))) await store.shadows.remove(key);
      }
    },
  };
}
