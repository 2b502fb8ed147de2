/**
 * The Device Shadow service as a pure function: stored shadow + request + now → what to store + what to publish.
 * Rules: AWS IoT developer guide, "Device Shadow service documents", "… MQTT topics", "… error messages".
 */

import { emptyObject, type JsonObject, jsonBytes } from './json-tree.ts';
import { delta, mergeSection, patchMetadata, type Section } from './shadow-merge.ts';
import {
  clientTokenOf,
  isRefusal,
  parsePayload,
  parseUpdate,
  type ShadowKey,
  type ShadowOperation,
  type ShadowRefusal,
  shadowLabel,
  type UpdateDocument,
} from './shadow-request.ts';

/** desired + reported, without metadata. */
export const documentBytesMax = 8192;
/** A shadow that is made again within this time after its delete goes on with its version. */
export const versionKeptMs = 48 * 3600 * 1000;

export interface StoredShadow {
  version: number;
  desired: Section;
  reported: Section;
  /** Set on what is left of a deleted shadow: only its version counts. */
  deletedAtMs?: number;
}

export interface ShadowMessage {
  /** The topic behind the shadow's prefix. */
  tail: `${ShadowOperation}/${'accepted' | 'rejected'}` | 'update/delta' | 'update/documents';
  readonly payload: JsonObject;
}

export interface ShadowOutcome {
  /** What to write before anything is sent; undefined where nothing changes. */
  store?: StoredShadow;
  /** What the asker gets: the first of `messages`. */
  answer: ShadowMessage;
  messages: ShadowMessage[];
}

export interface ShadowRequest {
  key: ShadowKey;
  operation: ShadowOperation;
  payload: Uint8Array;
}

/** @returns undefined where no shadow is there: never made, deleted. */
export function living(stored: StoredShadow | undefined): StoredShadow | undefined {
  return stored === undefined || stored.deletedAtMs !== undefined ? undefined : stored;
}

/** @returns whether what is left of a deleted shadow has had its time. */
export function isForgotten(stored: StoredShadow, nowMs: number): boolean {
  return stored.deletedAtMs !== undefined && nowMs - stored.deletedAtMs >= versionKeptMs;
}

function stateOf({ desired, reported }: StoredShadow): JsonObject {
  const state = emptyObject();
  if (desired.state) state.desired = desired.state;
  if (reported.state) state.reported = reported.state;
  return state;
}

function metadataOf({ desired, reported }: StoredShadow): JsonObject {
  const metadata = emptyObject();
  if (desired.metadata) metadata.desired = desired.metadata;
  if (reported.metadata) metadata.reported = reported.metadata;
  return metadata;
}

/** One whose payload is made when it is read: most have no reader. */
class LazyMessage implements ShadowMessage {
  readonly tail: ShadowMessage['tail'];
  readonly #make: () => JsonObject;

  constructor(tail: ShadowMessage['tail'], make: () => JsonObject) {
    this.tail = tail;
    this.#make = make;
  }

  get payload(): JsonObject {
    return this.#make();
  }
}

/** One side of `update/documents`. */
function documentOf(shadow: StoredShadow): JsonObject {
  return { state: stateOf(shadow), metadata: metadataOf(shadow), version: shadow.version };
}

const secondsOf = (nowMs: number) => Math.floor(nowMs / 1000);

/** The refusal as `…/rejected` carries it. */
export function rejected(
  operation: ShadowOperation,
  { code, message }: ShadowRefusal,
  nowMs: number,
  token: { clientToken?: string },
): ShadowMessage {
  return {
    tail: `${operation}/rejected`,
    payload: { code, message, timestamp: secondsOf(nowMs), ...token },
  };
}

/** Answers one request. The caller stores `store` durably, then sends `messages` in their order. */
export function applyShadowRequest(
  stored: StoredShadow | undefined,
  { key, operation, payload }: ShadowRequest,
  nowMs: number,
): ShadowOutcome {
  const kept = stored !== undefined && isForgotten(stored, nowMs) ? undefined : stored;
  const refuse = (refusal: ShadowRefusal, token: { clientToken?: string } = {}): ShadowOutcome => {
    const answer = rejected(operation, refusal, nowMs, token);
    return { answer, messages: [answer] };
  };
  const document = parsePayload(payload);
  if (isRefusal(document)) return refuse(document);
  const token = clientTokenOf(document.value);
  if (isRefusal(token)) return refuse(token);

  if (operation === 'update') {
    const update = parseUpdate(document.value);
    if (isRefusal(update)) return refuse(update, token);
    const outcome = applyUpdate(kept, update, nowMs);
    return isRefusal(outcome) ? refuse(outcome, token) : outcome;
  }
  const current = living(kept);
  if (current === undefined) {
    return refuse({ code: 404, message: `No shadow exists with name: '${shadowLabel(key)}'` }, token);
  }
  if (operation === 'delete') {
    const answer: ShadowMessage = {
      tail: 'delete/accepted',
      payload: { version: current.version, timestamp: secondsOf(nowMs), ...token },
    };
    const store = { version: current.version, desired: {}, reported: {}, deletedAtMs: nowMs };
    return { store, answer, messages: [answer] };
  }
  const answer: ShadowMessage = { tail: 'get/accepted', payload: shadowDocument(current, nowMs, token) };
  return { answer, messages: [answer] };
}

/** The whole shadow, as `get/accepted` carries it. */
function shadowDocument(current: StoredShadow, nowMs: number, token: { clientToken?: string }): JsonObject {
  const state = stateOf(current);
  const difference = delta(current.desired.state, current.reported.state, current.desired.metadata);
  if (difference) state.delta = difference.state;
  return {
    state,
    metadata: metadataOf(current),
    version: current.version,
    timestamp: secondsOf(nowMs),
    ...token,
  };
}

function applyUpdate(
  kept: StoredShadow | undefined,
  update: UpdateDocument,
  nowMs: number,
): ShadowOutcome | ShadowRefusal {
  const previous = living(kept);
  const versionNow = kept?.version ?? 0;
  if (update.version !== undefined && update.version !== versionNow) {
    return { code: 409, message: 'Version conflict' };
  }
  const timestamp = secondsOf(nowMs);
  const patch = update.state ?? { desired: null, reported: null };
  const next: StoredShadow = {
    version: versionNow + 1,
    desired: mergeSection(previous?.desired ?? {}, patch.desired, timestamp),
    reported: mergeSection(previous?.reported ?? {}, patch.reported, timestamp),
  };
  if (jsonBytes(next.desired.state) + jsonBytes(next.reported.state) > documentBytesMax) {
    return { code: 413, message: 'The payload exceeds the maximum size allowed' };
  }
  const token = update.clientToken === undefined ? {} : { clientToken: update.clientToken };
  return {
    store: next,
    ...updateMessages(previous, next, update, timestamp, token),
  };
}

function updateMessages(
  previous: StoredShadow | undefined,
  next: StoredShadow,
  update: UpdateDocument,
  timestamp: number,
  token: { clientToken?: string },
): { answer: ShadowMessage; messages: ShadowMessage[] } {
  const metadata = emptyObject();
  for (const name of ['desired', 'reported'] as const) {
    const section = update.state?.[name];
    if (section) metadata[name] = patchMetadata(section, timestamp);
  }
  const answer: ShadowMessage = {
    tail: 'update/accepted',
    payload: {
      state: update.state === null ? null : { ...update.state },
      metadata,
      version: next.version,
      timestamp,
      ...token,
    },
  };
  const messages = [answer];
  const difference = delta(next.desired.state, next.reported.state, next.desired.metadata);
  if (difference) {
    messages.push({
      tail: 'update/delta',
      payload: { version: next.version, timestamp, ...difference, ...token },
    });
  }
  const documents = () => ({
    ...(previous ? { previous: documentOf(previous) } : {}),
    current: documentOf(next),
    timestamp,
    ...token,
  });
  messages.push(new LazyMessage('update/documents', documents));
  return { answer, messages };
}
