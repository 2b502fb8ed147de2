/** Shadows on disk: requests to one shadow in their order, each answered after its change is synced. */

import type { Announcement, ShadowAsker } from './broker/ingress.ts';
import { type LazyBytes, lazyBytes } from './broker/message.ts';
import type { JsonObject } from './engines/json-tree.ts';
import {
  applyShadowRequest,
  isForgotten,
  living,
  rejected,
  type ShadowMessage,
  type ShadowRequest,
} from './engines/shadow.ts';
import {
  clientTokenOf,
  isRefusal,
  parsePayload,
  type ShadowKey,
  type ShadowOperation,
  type ShadowRefusal,
  shadowTopicPrefix,
} from './engines/shadow-request.ts';
import { pairKey, pairOf, type Store } from './store/store.ts';

/**
 * Prepares a message: what rules need of it goes to disk at once, with the shadow itself. Sent at QoS 0: an acknowledged QoS 1 costs the AWS
 * SDK 44 ms. `hops`: as in the broker's `MessageMeta`.
 */
export type ShadowAnnounce = (topic: string, payload: LazyBytes, hops: number) => Announcement;

export interface ShadowService {
  /**
   * Stores, publishes the messages, and returns the first: accepted or rejected. An asker over HTTPS gets its answer
   * there: of its requests only what changed a shadow is published.
   */
  request(
    key: ShadowKey,
    operation: ShadowOperation,
    payload: Uint8Array,
    asker: ShadowAsker,
  ): Promise<ShadowMessage>;
  /** What a get would answer; undefined where there is no such shadow. */
  read(key: ShadowKey): JsonObject | undefined;
  namedShadowsOf(thing: string): string[];
  /** Drops what is left of shadows that were deleted long ago. */
  forgetOld(): Promise<void>;
}

interface Waiting extends ShadowRequest {
  asker: ShadowAsker;
  answer(message: ShadowMessage): void;
}

/** Requests that share one write. */
const batchMax = 64;

/** A refusal that has nothing to do with what was asked; the asker's token is echoed all the same. */
function refusal(
  { operation, payload }: ShadowRequest,
  refused: ShadowRefusal,
  nowMs: number,
): ShadowMessage {
  const parsed = parsePayload(payload);
  const token = isRefusal(parsed) ? {} : clientTokenOf(parsed.value);
  return rejected(operation, refused, nowMs, isRefusal(token) ? {} : token);
}
const internalFailure: ShadowRefusal = { code: 500, message: 'Internal service failure' };
const tooManyRequests: ShadowRefusal = { code: 429, message: 'Too many requests' };

export function createShadowService(
  store: Store,
  announce: ShadowAnnounce,
  nowMs: () => number,
  failed: (error: unknown, topic: string) => void,
  /** Requests a second to the shadows of one thing, where AWS's rate holds. */
  rate?: { take(thing: string, nowMs: number): boolean },
): ShadowService {
  /** Requests that wait, by shadow; a shadow that is here is being worked on. */
  const waiting = new Map<string, Waiting[]>();

  /** Applies a batch to one shadow and stores the result. @returns an answer and messages a request */
  async function apply(id: string, batch: readonly Waiting[]) {
    const before = store.shadows.get(id);
    let current = before;
    const outcomes = batch.map((request) => {
      const outcome = applyShadowRequest(current, request, nowMs());
      current = outcome.store ?? current;
      return { request, outcome };
    });
    const stored: Promise<void>[] = [];
    const prepareAll = () =>
      outcomes.map(({ request, outcome: { answer, messages } }) => {
        const announced = prepare(request, messages);
        for (const { refused, noted } of announced) {
          if (refused) throw refused;
          if (noted) stored.push(noted);
        }
        return { request, answer, announced };
      });
    const changed = current === before ? undefined : current;
    if (changed === undefined) {
      const prepared = prepareAll();
      if (stored.length > 0) await Promise.all(stored);
      return prepared;
    }
    let allStored: Promise<unknown> = Promise.resolve();
    // One step, refused or on disk as a whole: of a shadow that changed without its rules nobody would hear.
    const prepared = await store.transact(() => {
      stored.push(store.shadows.put(id, changed));
      const made = prepareAll();
      allStored = Promise.all(stored);
      allStored.catch(() => undefined);
      return made;
    });
    await allStored;
    return prepared;
  }

  function prepare({ key, operation, asker }: Waiting, messages: readonly ShadowMessage[]): Announcement[] {
    const prefix = shadowTopicPrefix(key);
    const announced: Announcement[] = [];
    for (const message of messages) {
      if (asker.via === 'https' && (operation === 'get' || message.tail.endsWith('/rejected'))) continue;
      const bytes = lazyBytes(() => Buffer.from(JSON.stringify(message.payload)));
      announced.push(announce(`${prefix}/${message.tail}`, bytes, asker.hops ?? 0));
    }
    return announced;
  }

  /** Does not wait for what rules need of it. */
  function refuse(request: Waiting, why: ShadowRefusal): void {
    const answer = refusal(request, why, nowMs());
    for (const { noted, send } of prepare(request, [answer])) {
      noted?.catch((error: unknown) => failed(error, shadowTopicPrefix(request.key)));
      send();
    }
    request.answer(answer);
  }

  /** Works on the requests to one shadow until none is left: what came meanwhile shares one write. */
  async function work(id: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.splice(0, batchMax);
      const prepared = await apply(id, batch).catch((error: unknown) => {
        failed(error, `${shadowTopicPrefix(batch[0]?.key ?? { thing: id })}`);
        return undefined;
      });
      if (!prepared) for (const request of batch) refuse(request, internalFailure);
      for (const { request, answer, announced } of prepared ?? []) {
        for (const { send } of announced) send();
        request.answer(answer);
      }
    }
    waiting.delete(id);
  }

  return {
    request(key, operation, payload, asker) {
      const id = pairKey(key.thing, key.shadow ?? '');
      return new Promise((answer) => {
        const request = { key, operation, payload, asker, answer };
        if (asker.isThrottled || (rate && !rate.take(key.thing, nowMs()))) {
          return refuse(request, tooManyRequests);
        }
        const queue = waiting.get(id);
        if (queue) {
          queue.push(request);
          return;
        }
        const started = [request];
        waiting.set(id, started);
        void work(id, started);
      });
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
        if (isForgotten(shadow, now) && !waiting.has(pairKey(thing, name))) await store.shadows.remove(key);
      }
    },
  };
}
