import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type JsonObject, type JsonValue, jsonEqual } from './json-tree.ts';
import { applyShadowRequest, type StoredShadow } from './shadow.ts';

/** A few keys, so that updates meet; the prototype's among them. */
const key = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor');
const leaf: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.constantFrom('x', 'y', true, false),
  fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 2 }),
);
const object = (value: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonObject> =>
  fc.array(fc.tuple(key, value), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs));
const tree = (depth: number): fc.Arbitrary<JsonValue> =>
  depth === 0
    ? leaf
    : fc.oneof({ weight: 2, arbitrary: leaf }, { weight: 1, arbitrary: object(tree(depth - 1)) });
/** What a section may hold, and what may change it. */
const section = object(tree(2));
const patch = object(
  fc.oneof({ weight: 4, arbitrary: tree(2) }, { weight: 1, arbitrary: fc.constant(null) }),
);
const update = fc.record(
  { desired: fc.oneof(patch, fc.constant(null)), reported: fc.oneof(patch, fc.constant(null)) },
  { requiredKeys: [] },
);

const shadowKey = { thing: 't' };
function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}
/** What is stored is others' to read: a change of it would throw. */
function send(stored: StoredShadow | undefined, operation: 'get' | 'update' | 'delete', document: object) {
  const payload = Buffer.from(JSON.stringify(document));
  return applyShadowRequest(freeze(stored), { key: shadowKey, operation, payload }, 1_700_000_000_000);
}
/** Through JSON, as the store keeps it. */
const kept = (stored: StoredShadow | undefined) =>
  stored === undefined ? undefined : (JSON.parse(JSON.stringify(stored)) as StoredShadow);

function after(updates: object[]): StoredShadow | undefined {
  let stored: StoredShadow | undefined;
  for (const state of updates) stored = kept(send(stored, 'update', { state }).store) ?? stored;
  return stored;
}

/** The update as a plain statement of what a leaf path must be afterwards. */
function merged(before: JsonValue | undefined, change: JsonValue): JsonValue | undefined {
  if (change === null) return undefined;
  if (typeof change !== 'object' || Array.isArray(change)) return change;
  const base = typeof before === 'object' && before !== null && !Array.isArray(before) ? before : undefined;
  const entries = new Map(Object.entries(base ?? {}));
  let lost = false;
  for (const [name, value] of Object.entries(change)) {
    const next = merged(entries.get(name), value);
    if (next === undefined) {
      entries.delete(name);
      lost = true;
    } else entries.set(name, next);
  }
  return base === undefined && lost && entries.size === 0 ? undefined : Object.fromEntries(entries);
}

test('an update merges as the plain statement of the rule says', () => {
  fc.assert(
    fc.property(section, patch, (first, second) => {
      const stored = after([{ desired: first }, { desired: second }]);
      const expected = merged(merged({}, first), second);
      expect(JSON.parse(JSON.stringify(stored?.desired.state ?? {}))).toEqual(expected ?? {});
    }),
    { numRuns: 300 },
  );
});

test('an update that was applied twice changes nothing but the version', () => {
  fc.assert(
    fc.property(fc.array(update, { maxLength: 4 }), update, (before, last) => {
      const once = after([...before, last]);
      const twice = after([...before, last, last]);
      expect(twice).toEqual({ ...once, version: (once?.version ?? 0) + 1 });
    }),
    { numRuns: 200 },
  );
});

test('every accepted update raises the version by one; a refused one leaves the shadow as it was', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(update, fc.option(fc.nat(4), { nil: undefined })), { maxLength: 8 }),
      (steps) => {
        let stored: StoredShadow | undefined;
        for (const [state, version] of steps) {
          const current = stored?.version ?? 0;
          const outcome = send(stored, 'update', version === undefined ? { state } : { state, version });
          const fits = version === undefined || version === current;
          expect(outcome.answer.tail).toBe(fits ? 'update/accepted' : 'update/rejected');
          expect(outcome.store?.version).toBe(fits ? current + 1 : undefined);
          stored = kept(outcome.store) ?? stored;
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('reporting the delta ends it', () => {
  fc.assert(
    fc.property(fc.array(update, { minLength: 1, maxLength: 5 }), (updates) => {
      const stored = after(updates);
      const delta = send(stored, 'get', {}).answer.payload.state as JsonObject;
      if (delta.delta === undefined) return;
      const agreed = send(stored, 'update', { state: { reported: delta.delta } });
      expect(agreed.messages.map(({ tail }) => tail)).not.toContain('update/delta');
    }),
    { numRuns: 300 },
  );
});

test('metadata has the shape of the state, and no update touches what it was not given', () => {
  const shapeOf = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return value.map(shapeOf);
    if (typeof value !== 'object' || value === null) return { timestamp: 1_700_000_000 };
    return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, shapeOf(child)]));
  };
  fc.assert(
    fc.property(fc.array(update, { minLength: 1, maxLength: 5 }), (updates) => {
      const stored = after(updates);
      for (const { state, metadata } of [stored?.desired ?? {}, stored?.reported ?? {}]) {
        if (state === undefined) expect(metadata).toBeUndefined();
        else expect(jsonEqual(shapeOf(state), metadata ?? null)).toBe(true);
      }
      const onlyReported = kept(send(stored, 'update', { state: { reported: { z: 1 } } }).store);
      expect(onlyReported?.desired).toEqual(stored?.desired);
    }),
    { numRuns: 200 },
  );
});

test('no bytes at all make the engine throw, and what is not an update stores nothing', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc.json().map((text) => Buffer.from(text)),
      ),
      fc.constantFrom('get' as const, 'update' as const, 'delete' as const),
      (payload, operation) => {
        const outcome = applyShadowRequest(undefined, { key: shadowKey, operation, payload }, 0);
        expect(outcome.messages[0]).toBe(outcome.answer);
        expect(outcome.store !== undefined).toBe(outcome.answer.tail === 'update/accepted');
      },
    ),
    { numRuns: 300 },
  );
});
