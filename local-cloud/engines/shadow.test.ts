import { expect, test } from '@jest/globals';
import { applyShadowRequest, documentBytesMax, type StoredShadow, versionKeptMs } from './shadow.ts';
import type { ShadowKey, ShadowOperation } from './shadow-request.ts';

const key: ShadowKey = { thing: 'demo_val-1', shadow: 'role' };

/** One shadow and its clock: what a client does to it, and what comes back. */
function shadow(at: ShadowKey = key) {
  let stored: StoredShadow | undefined;
  let nowMs = 1_700_000_000_000;
  const ask = (operation: ShadowOperation, document?: unknown) => {
    const payload = Buffer.isBuffer(document)
      ? document
      : Buffer.from(document === undefined ? '' : JSON.stringify(document));
    const outcome = applyShadowRequest(stored, { key: at, operation, payload }, nowMs);
    if (outcome.store) stored = JSON.parse(JSON.stringify(outcome.store)) as StoredShadow;
    return {
      answer: outcome.answer,
      tails: outcome.messages.map(({ tail }) => tail),
      message: (tail: string) => outcome.messages.find((each) => each.tail === tail)?.payload,
    };
  };
  return {
    get: (document?: unknown) => ask('get', document),
    update: (document: unknown) => ask('update', document),
    delete: (document?: unknown) => ask('delete', document),
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}
const now = 1_700_000_000;

test('the first update makes version 1, and says what was sent, what differs, and what there is now', () => {
  const role = shadow();
  const made = role.update({ state: { desired: { role: 'active' } }, clientToken: 't-1' });
  expect(made.tails).toEqual(['update/accepted', 'update/delta', 'update/documents']);
  expect(made.answer.payload).toEqual({
    state: { desired: { role: 'active' } },
    metadata: { desired: { role: { timestamp: now } } },
    version: 1,
    timestamp: now,
    clientToken: 't-1',
  });
  expect(made.message('update/delta')).toEqual({
    state: { role: 'active' },
    metadata: { role: { timestamp: now } },
    version: 1,
    timestamp: now,
    clientToken: 't-1',
  });
  const documents = made.message('update/documents');
  expect(documents).toEqual({
    current: {
      state: { desired: { role: 'active' } },
      metadata: { desired: { role: { timestamp: now } } },
      version: 1,
    },
    timestamp: now,
    clientToken: 't-1',
  });
  expect(Object.hasOwn(documents ?? {}, 'previous')).toBe(false);
});

test('documents carry the shadow before and after; a report that agrees ends the delta', () => {
  const role = shadow();
  role.update({ state: { desired: { role: 'active' } } });
  role.wait(5000);
  const agreed = role.update({ state: { reported: { role: 'active' } } });
  expect(agreed.tails).toEqual(['update/accepted', 'update/documents']);
  expect(agreed.message('update/documents')).toMatchObject({
    previous: { state: { desired: { role: 'active' } }, version: 1 },
    current: {
      state: { desired: { role: 'active' }, reported: { role: 'active' } },
      metadata: { desired: { role: { timestamp: now } }, reported: { role: { timestamp: now + 5 } } },
      version: 2,
    },
  });
});

test('get answers desired, reported, delta and metadata, and echoes the token', () => {
  const config = shadow();
  config.update({ state: { desired: { a: 1, b: { c: [1, 2] } }, reported: { a: 1, own: true } } });
  expect(config.get({ clientToken: 'x' }).answer).toEqual({
    tail: 'get/accepted',
    payload: {
      state: {
        desired: { a: 1, b: { c: [1, 2] } },
        reported: { a: 1, own: true },
        delta: { b: { c: [1, 2] } },
      },
      metadata: {
        desired: {
          a: { timestamp: now },
          b: { c: [{ timestamp: now }, { timestamp: now }] },
        },
        reported: { a: { timestamp: now }, own: { timestamp: now } },
      },
      version: 1,
      timestamp: now,
      clientToken: 'x',
    },
  });
});

test('objects merge, null deletes, arrays and changed types replace', () => {
  const config = shadow();
  config.update({ state: { desired: { a: { b: 1, c: 2 }, list: [1, 2], t: { u: 1 }, gone: 1 } } });
  config.wait(1000);
  config.update({ state: { desired: { a: { b: 9 }, list: [3], t: 'text', gone: null } } });
  const { state, metadata } = config.get().answer.payload;
  expect(state).toMatchObject({ desired: { a: { b: 9, c: 2 }, list: [3], t: 'text' } });
  expect(state).not.toHaveProperty('desired.gone');
  expect(metadata).toEqual({
    desired: {
      a: { b: { timestamp: now + 1 }, c: { timestamp: now } },
      list: [{ timestamp: now + 1 }],
      t: { timestamp: now + 1 },
    },
  });
});

test('a new subtree loses its nulls; nothing but nulls makes nothing', () => {
  const config = shadow();
  config.update({ state: { desired: { a: { b: null, c: 1 }, d: { e: { f: null } }, empty: {} } } });
  expect(config.get().answer.payload.state).toEqual({
    desired: { a: { c: 1 }, empty: {} },
    delta: { a: { c: 1 } },
  });
});

test('null removes a section, null as the whole state both', () => {
  const config = shadow();
  config.update({ state: { desired: { a: 1 }, reported: { a: 2 } } });
  config.update({ state: { desired: null } });
  expect(config.get().answer.payload.state).toEqual({ reported: { a: 2 } });
  const cleared = config.update({ state: null });
  expect(cleared.answer.payload).toMatchObject({ state: null, version: 3 });
  expect(config.get().answer.payload).toMatchObject({ state: {}, metadata: {}, version: 3 });
});

test('the delta walks desired: whole arrays, numbers by value, nothing for a key that desired lost', () => {
  const config = shadow();
  config.update({
    state: { desired: { n: 1.0, list: [1, 2], x: 1 }, reported: { n: 1, list: [1, 3], x: 2 } },
  });
  expect(config.get().answer.payload.state).toHaveProperty('delta', { list: [1, 2], x: 1 });
  const removed = config.update({ state: { desired: { list: null, x: null } } });
  expect(removed.tails).not.toContain('update/delta');
});

test('the delta is sent in full at every update while a difference remains', () => {
  const config = shadow();
  config.update({ state: { desired: { a: 1, b: 2 } } });
  const again = config.update({ state: { reported: { a: 1 } } });
  expect(again.message('update/delta')).toMatchObject({ state: { b: 2 }, version: 2 });
});

test('a version that is not the current one is a conflict; without one the update goes through', () => {
  const role = shadow();
  role.update({ state: { desired: { a: 1 } } });
  expect(role.update({ state: { desired: { a: 2 } }, version: 7, clientToken: 'c' }).answer).toEqual({
    tail: 'update/rejected',
    payload: { code: 409, message: 'Version conflict', timestamp: now, clientToken: 'c' },
  });
  expect(role.update({ state: { desired: { a: 2 } }, version: 1 }).answer.payload.version).toBe(2);
  expect(role.update({ state: { desired: { a: 3 } } }).answer.payload.version).toBe(3);
});

test('a deleted shadow is not found, and goes on with its version for 48 hours', () => {
  const role = shadow();
  role.update({ state: { desired: { a: 1 } } });
  role.update({ state: { desired: { a: 2 } } });
  expect(role.delete({ clientToken: 'd' }).answer).toEqual({
    tail: 'delete/accepted',
    payload: { version: 2, timestamp: now, clientToken: 'd' },
  });
  expect(role.get().answer.payload).toMatchObject({
    code: 404,
    message: "No shadow exists with name: 'demo_val-1~role'",
  });
  expect(role.delete().answer.payload.code).toBe(404);
  role.wait(versionKeptMs - 1);
  const again = role.update({ state: { reported: { b: 1 } } });
  expect(again.answer.payload.version).toBe(3);
  expect(again.message('update/documents')).not.toHaveProperty('previous');
  role.delete();
  role.wait(versionKeptMs);
  expect(role.update({ state: { reported: { b: 1 } } }).answer.payload.version).toBe(1);
});

test('the classic shadow is named as its thing', () => {
  expect(shadow({ thing: 'pump' }).get().answer.payload.message).toBe("No shadow exists with name: 'pump'");
});

test.each([
  ['Invalid JSON', Buffer.from('{"state":')],
  ['Invalid JSON', Buffer.from('')],
  ['Invalid JSON', 5],
  ['Missing required node: state', {}],
  ['State node must be an object', { state: 5 }],
  ['State node must be an object', { state: [] }],
  ['Desired node must be an object', { state: { desired: 'x' } }],
  ['Reported node must be an object', { state: { reported: [1] } }],
  ['Invalid version', { state: {}, version: 'one' }],
  ['Invalid version', { state: {}, version: -1 }],
  ['Invalid clientToken', { state: {}, clientToken: 7 }],
  ['Invalid clientToken', { state: {}, clientToken: 'x'.repeat(65) }],
  ["State contains an invalid node: 'other'", { state: { other: {} } }],
  ['State contains an invalid node', { state: { desired: { list: [1, null] } } }],
  [
    'JSON contains too many levels of nesting; maximum is 6',
    { state: { desired: { a: { b: { c: { d: { e: { f: { g: 1 } } } } } } } } },
  ],
])('%s', (message, document) => {
  const role = shadow();
  expect(role.update(document).answer).toMatchObject({
    tail: 'update/rejected',
    payload: { code: 400, message },
  });
  expect(role.get().answer.payload.code).toBe(404);
});

test('six levels of nesting are taken', () => {
  const deep = { state: { desired: { a: { b: { c: { d: { e: { f: 1 } } } } } } } };
  expect(shadow().update(deep).answer.tail).toBe('update/accepted');
});

test('a document that is not UTF-8 is refused as such, a bottomless one without a crash', () => {
  expect(shadow().update(Buffer.from([0x7b, 0xff, 0x7d])).answer.payload.code).toBe(415);
  const bottomless = Buffer.from(`{"state":{"desired":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}}`);
  expect(shadow().update(bottomless).answer.payload.code).toBe(400);
});

test('desired and reported together have 8 KB, metadata aside; what is refused changes nothing', () => {
  const big = shadow();
  const half = 'x'.repeat(documentBytesMax / 2 - 20);
  expect(big.update({ state: { desired: { a: half } } }).answer.tail).toBe('update/accepted');
  expect(big.update({ state: { reported: { a: half } } }).answer.tail).toBe('update/accepted');
  expect(
    big.update({ state: { reported: { b: 'y'.repeat(40) } }, clientToken: 'z' }).answer.payload,
  ).toMatchObject({
    code: 413,
    message: 'The payload exceeds the maximum size allowed',
    clientToken: 'z',
  });
  expect(big.get().answer.payload.version).toBe(2);
});

test('keys of the prototype are keys like any other', () => {
  const role = shadow();
  const document = Buffer.from(
    '{"state":{"desired":{"__proto__":{"polluted":true},"constructor":1,"toString":{"a":2}}}}',
  );
  expect(role.update(document).answer.tail).toBe('update/accepted');
  const text = JSON.stringify(role.get().answer.payload.state);
  expect(text).toContain('"__proto__":{"polluted":true}');
  expect(text).toContain('"toString":{"a":2}');
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  role.update(Buffer.from('{"state":{"desired":{"__proto__":null,"constructor":null,"toString":null}}}'));
  expect(role.get().answer.payload.state).toEqual({});
});
