import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createShadowService } from './shadow-service.ts';
import { openStore, type Store } from './store/store.ts';

let folder = '';
let store: Store;
let published: { tail: string; payload: Record<string, unknown> }[] = [];
let nowMs = 1_700_000_000_000;
const failures: unknown[] = [];
/** What rules put on disk of a message. */
let noting: (topic: string) => { noted?: Promise<void>; refused?: Error } = () => ({});
const key = { thing: 'demo_a', shadow: 'role' };
const hopsSeen: (number | undefined)[] = [];

function service() {
  return createShadowService(
    store,
    (topic, payload, hops) => ({
      ...noting(topic),
      send() {
        const tail = topic.split('/').slice(-2).join('/');
        published.push({ tail, payload: JSON.parse(payload().toString()) as Record<string, unknown> });
        hopsSeen.push(hops);
      },
    }),
    () => nowMs,
    (error) => failures.push(error),
  );
}
const update = (n: number, clientToken?: string) =>
  Buffer.from(JSON.stringify({ state: { reported: { n } }, clientToken }));

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'beam-shadows-'));
  store = await openStore(folder);
  published = [];
  hopsSeen.length = 0;
  noting = () => ({});
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

test('what is answered is on disk, and requests made at once each get a version of their own, in their order', async () => {
  const shadows = service();
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, n) =>
      shadows.request(key, 'update', update(n), { via: 'mqtt' }).then((answer) => {
        expect(store.shadows.get('demo_a role')?.version).toBeGreaterThanOrEqual(
          Number(answer.payload.version),
        );
        return answer.payload.version;
      }),
    ),
  );
  expect(answers).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
  const documents = published.filter(({ tail }) => tail === 'update/documents').map(({ payload }) => payload);
  expect(
    documents
      .slice(1)
      .every((each, n) => JSON.stringify(each.previous) === JSON.stringify(documents[n]?.current)),
  ).toBe(true);
});

test('each message tells how many rules led to the request that brought it about', async () => {
  const shadows = service();
  await Promise.all(
    [1, 2, 3].map((hops) => shadows.request(key, 'update', update(hops), { via: 'mqtt', hops })),
  );
  expect(hopsSeen).toEqual([1, 1, 2, 2, 3, 3]);
});

test('when the disk fails, every request of that moment is refused, and the shadow is as it was', async () => {
  const shadows = service();
  await shadows.request(key, 'update', update(1), { via: 'mqtt' });
  const { put } = store.shadows;
  Object.defineProperty(store.shadows, 'put', {
    configurable: true,
    value: () => Promise.reject(new Error('disk full')),
  });
  published = [];
  const answers = await Promise.all(
    [2, 3].map((n) => shadows.request(key, 'update', update(n, `t${n}`), { via: 'mqtt' })),
  );
  expect(answers).toMatchObject(
    [2, 3].map((n) => ({ tail: 'update/rejected', payload: { code: 500, clientToken: `t${n}` } })),
  );
  expect(published.map(({ tail }) => tail)).toEqual(['update/rejected', 'update/rejected']);
  expect(failures.length).toBeGreaterThan(0);
  Object.defineProperty(store.shadows, 'put', { configurable: true, value: put });
  expect((await shadows.request(key, 'update', update(4), { via: 'mqtt' })).payload.version).toBe(2);
});

test('what rules can not take is refused whole: the shadow is as it was, and no rule hears of it later', async () => {
  const shadows = service();
  const note = (id: string) => ({ noted: store.ruleMessages.put(id, {} as never) });
  noting = (topic) => (topic.endsWith('/accepted') ? note('1') : { refused: new Error('rules are behind') });
  const refused = await shadows.request(key, 'update', update(1), { via: 'mqtt' });
  expect(refused).toMatchObject({ tail: 'update/rejected', payload: { code: 500 } });
  // As many as the queue takes, but for one.
  const waiting = Array.from({ length: 9_999 }, () => store.presence.put('a', 1));
  noting = (topic) => (topic.endsWith('/documents') ? note('2') : {});
  const taken = shadows.request(key, 'update', update(2), { via: 'mqtt' });
  const late = shadows.request({ thing: 'demo_b' }, 'update', update(3), { via: 'mqtt' });
  await Promise.all(waiting);
  expect(await taken).toMatchObject({ tail: 'update/accepted', payload: { version: 1 } });
  expect(await late).toMatchObject({ tail: 'update/rejected', payload: { code: 500 } });
  expect([...store.shadows.entries()].map(([id]) => id)).toEqual(['demo_a role']);
  expect([...store.ruleMessages.entries()].map(([id]) => id)).toEqual(['2']);
});

test('over HTTPS, what changes a shadow is published, refusals and reads are not', async () => {
  const shadows = service();
  await shadows.request(key, 'get', Buffer.alloc(0), { via: 'https' });
  await shadows.request(key, 'update', Buffer.from('{}'), { via: 'https' });
  expect(published).toEqual([]);
  await shadows.request(key, 'update', update(1), { via: 'https' });
  await shadows.request(key, 'get', Buffer.alloc(0), { via: 'https' });
  await shadows.request(key, 'delete', Buffer.alloc(0), { via: 'https' });
  expect(published.map(({ tail }) => tail)).toEqual([
    'update/accepted',
    'update/documents',
    'delete/accepted',
  ]);
});

test('what is left of a deleted shadow is dropped after 48 hours', async () => {
  const shadows = service();
  await shadows.request(key, 'update', update(1), { via: 'mqtt' });
  await shadows.request({ thing: 'demo_b' }, 'update', update(1), { via: 'mqtt' });
  await shadows.request(key, 'delete', Buffer.alloc(0), { via: 'mqtt' });
  expect(shadows.namedShadowsOf('demo_a')).toEqual([]);
  await shadows.forgetOld();
  expect([...store.shadows.entries()]).toHaveLength(2);
  nowMs += 48 * 3600 * 1000;
  await shadows.forgetOld();
  expect([...store.shadows.entries()].map(([id]) => id)).toEqual(['demo_b ']);
});

test('what rules need of a change is on disk before anybody is told of it, and asked for with the change itself', async () => {
  const steps: string[] = [];
  const write = store.shadows.put.bind(store.shadows);
  store.shadows.put = (id, shadow) => {
    steps.push('shadow');
    return write(id, shadow);
  };
  let noted = () => {};
  noting = (topic) => {
    if (!topic.endsWith('/documents')) return {};
    steps.push('rules');
    return { noted: new Promise((resolve) => (noted = resolve)) };
  };
  const answered = service().request(key, 'update', update(1), { via: 'mqtt' });
  expect(steps).toEqual(['shadow', 'rules']);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(published).toEqual([]);
  noted();
  await answered;
  expect(published.map(({ tail }) => tail)).toEqual(['update/accepted', 'update/documents']);
});
