/** How an update changes one section of a shadow, its metadata, and what differs between two sections. */

import {
  emptyObject,
  isEmpty,
  isObject,
  type JsonObject,
  type JsonValue,
  jsonEqual,
  own,
} from './json-tree.ts';

/** A section and the tree of `{timestamp}` beside it; both undefined when the section is empty. */
export interface Section {
  state?: JsonObject;
  metadata?: JsonObject;
}

/** Metadata of a value that was just written: one timestamp a leaf; of an array, one an element. */
function stamp(value: JsonValue, timestamp: number): JsonValue {
  if (Array.isArray(value)) return value.map((item) => stamp(item, timestamp));
  const tree = emptyObject();
  if (!isObject(value)) {
    tree.timestamp = timestamp;
    return tree;
  }
  for (const [key, child] of Object.entries(value)) {
    if (child !== null) tree[key] = stamp(child, timestamp);
  }
  return tree;
}

/**
 * A subtree that was not there before loses its nulls; one that had nothing but nulls is not made at all.
 * @returns undefined where nothing is left
 */
function withoutNulls(value: JsonValue): JsonValue | undefined {
  if (value === null) return undefined;
  if (!isObject(value)) return value;
  const kept = emptyObject();
  let dropped = false;
  for (const [key, child] of Object.entries(value)) {
    const inner = withoutNulls(child);
    if (inner === undefined) dropped = true;
    else kept[key] = inner;
  }
  return dropped && isEmpty(kept) ? undefined : kept;
}

function mergeObject(
  state: JsonObject,
  metadata: JsonObject,
  patch: JsonObject,
  timestamp: number,
): { state: JsonObject; metadata: JsonObject } {
  const next = Object.assign(emptyObject(), state);
  const nextMetadata = Object.assign(emptyObject(), metadata);
  for (const [key, value] of Object.entries(patch)) {
    const before = own(next, key);
    const metadataBefore = own(nextMetadata, key);
    if (isObject(value) && isObject(before)) {
      const inner = mergeObject(
        before,
        isObject(metadataBefore) ? metadataBefore : emptyObject(),
        value,
        timestamp,
      );
      next[key] = inner.state;
      nextMetadata[key] = inner.metadata;
      continue;
    }
    const fresh = withoutNulls(value);
    if (fresh === undefined) {
      delete next[key];
      delete nextMetadata[key];
    } else {
      next[key] = fresh;
      nextMetadata[key] = stamp(fresh, timestamp);
    }
  }
  return { state: next, metadata: nextMetadata };
}

/**
 * Objects merge, null deletes, arrays and changed types replace; only touched leaves get a new timestamp.
 * @param patch null clears the section, undefined leaves it as it is
 */
export function mergeSection(
  section: Section,
  patch: JsonObject | null | undefined,
  timestamp: number,
): Section {
  if (patch === undefined) return section;
  if (patch === null) return {};
  const merged = mergeObject(
    section.state ?? emptyObject(),
    section.metadata ?? emptyObject(),
    patch,
    timestamp,
  );
  return isEmpty(merged.state) ? {} : merged;
}

/** Metadata of an update's own document, as `update/accepted` carries it. */
export function patchMetadata(patch: JsonObject, timestamp: number): JsonObject {
  const tree = stamp(patch, timestamp);
  return isObject(tree) ? tree : emptyObject();
}

/**
 * Walks desired: a leaf, a whole array or a subtree that reported lacks or has otherwise. What only reported
 * has is left out, and so is an object without leaves that reported lacks.
 * @returns undefined where nothing differs
 */
export function delta(
  desired: JsonObject | undefined,
  reported: JsonObject | undefined,
  metadata: JsonObject | undefined,
): { state: JsonObject; metadata: JsonObject } | undefined {
  const state = emptyObject();
  const kept = emptyObject();
  for (const [key, value] of Object.entries(desired ?? {})) {
    const other = reported === undefined ? undefined : own(reported, key);
    const valueMetadata = metadata === undefined ? undefined : own(metadata, key);
    if (isObject(value) && (other === undefined || isObject(other))) {
      const inner = delta(value, other, isObject(valueMetadata) ? valueMetadata : undefined);
      if (inner === undefined) continue;
      state[key] = inner.state;
      kept[key] = inner.metadata;
    } else if (other === undefined || !jsonEqual(value, other)) {
      state[key] = value;
      if (valueMetadata !== undefined) kept[key] = valueMetadata;
    }
  }
  return isEmpty(state) ? undefined : { state, metadata: kept };
}
