import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { eventually } from '../core-fixture.ts';
import { openStore, type Store } from '../store/store.ts';
import { EventRules } from './events-api.ts';
import { Scheduler } from './scheduler.ts';

let dir: string;
let store: Store;
let sent: { arn: string; event: unknown }[];
let warned: string[];
let nowMs: number;
let scheduler: Scheduler;
let rules: EventRules;
/** The clock of the schedules goes with the real one, from a time of ours. */
const start = Date.parse('2026-11-27T10:00:00Z');

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beam-schedules-'));
  store = await openStore(dir);
  sent = [];
  warned = [];
  nowMs = start;
  scheduler = new Scheduler({
    store,
    nowMs: () => nowMs,
    send: async ({ arn }, event) => void sent.push({ arn, event }),
    log: { warn: (_, message) => warned.push(message), error: (_, message) => warned.push(message) },
  });
  rules = new EventRules(store, scheduler);
});

afterEach(async () => {
  scheduler.stop();
  await store.close();
  rmSync(dir, { recursive: true });
});

const rule = (name: string, createdAtMs: number, input?: string) => ({
  name,
  scheduleExpression: 'rate(1 minute)',
  enabled: true,
  targets: [{ id: 't', arn: `arn:aws:lambda:local:000000000000:function:${name}`, ...(input && { input }) }],
  tags: {},
  createdAtMs,
});

test("a rate is due each period from when it was made; the event is EventBridge's, or the target's own", async () => {
  await rules.put(rule('plain', start - 59_990));
  await rules.put(rule('own', start - 59_990, '{"trigger":"sweep"}'));
  await rules.put({ ...rule('off', start - 59_990), enabled: false });
  scheduler.start();
  nowMs = start + 20;
  await eventually(() => sent.length === 2);
  expect(sent.map(({ event }) => event)).toEqual(
    expect.arrayContaining([
      { trigger: 'sweep' },
      expect.objectContaining({
        source: 'aws.events',
        'detail-type': 'Scheduled Event',
        time: '2026-11-27T10:00:00Z',
        resources: ['arn:aws:events:local:000000000000:rule/plain'],
        detail: {},
      }),
    ]),
  );
});

test('what came due while the cloud was down is not made up for', async () => {
  await rules.put(rule('late', start - 3_600_000 + 30));
  scheduler.start();
  expect(sent).toEqual([]);
  nowMs = start + 40;
  await eventually(() => sent.length === 1);
});

test('a clock that is set back by an hour does not silence a schedule for an hour', async () => {
  await rules.put(rule('swept', start - 59_970));
  scheduler.start();
  nowMs = start - 3_600_000;
  await eventually(() => warned.length === 1);
  expect(warned[0]).toMatch(/set back/);
  nowMs += 40;
  await eventually(() => sent.length === 1);
});

test("the program's own schedules come and go with it, and one that the API changed stays", async () => {
  const brought = [rule('a', start), rule('b', start)];
  await rules.putBundled(brought);
  const { bundled: _, ...own } = rules.get('a');
  await rules.put({ ...own, enabled: false });
  await rules.putBundled([rule('a', start + 1)]);
  expect(rules.all().map(({ name, enabled }) => [name, enabled])).toEqual([['a', false]]);
});
