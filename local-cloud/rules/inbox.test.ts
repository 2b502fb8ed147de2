import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { eventually, settle } from '../core-fixture.ts';
import { openStore } from '../store/store.ts';
import { createRulesEngine } from './engine.ts';
import { openRulesInbox } from './inbox.ts';
import type { Call } from './plan-action.ts';
import { lambda, nothing, rule } from './sample-rule.ts';

test('an acknowledged message is on disk until its actions were taken over, and a later run does what is left', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'beam-rules-'));
  let store = await openStore(dir);
  let takeOver: () => void = () => undefined;
  const started: unknown[] = [];
  const open = () => {
    const opened = createRulesEngine({
      executors: {
        ...nothing,
        lambda({ event }) {
          started.push(event);
          return new Promise<void>((resolve) => (takeOver = resolve));
        },
      },
      log: { warn: () => {}, error: () => {} },
      now: () => 1_795_000_000_000 + started.length,
      inbox: openRulesInbox(store, () => {}),
    });
    opened.load(
      'r',
      rule("SELECT n, timestamp() AS at, clientid() AS c FROM 'a' WHERE n > 0", [lambda('f')]),
    );
    return opened;
  };
  const take = (n: number, isAcknowledged: boolean) =>
    open().take('a', () => Buffer.from(JSON.stringify({ n })), { clientId: 'x' }, isAcknowledged);
  expect(take(0, true)).toBeUndefined();
  expect(take(1, false)?.noted).toBeUndefined();
  const taken = take(2, true);
  expect(started).toEqual([]);
  const ran = taken?.run();
  await taken?.noted;
  expect([...store.ruleMessages.values()]).toMatchObject([{ topic: 'a', rules: ['r'], runs: 0 }]);
  takeOver();
  await ran;
  await eventually(() => [...store.ruleMessages.values()].length === 0);

  const left = take(3, true);
  void left?.run();
  await left?.noted;
  await store.close();
  for (let run = 1; run <= 4; run++) {
    store = await openStore(dir);
    await open().resume();
    await store.close();
  }
  const event = { n: 3, at: 1_795_000_000_001, c: 'x' };
  expect(started.slice(1)).toEqual([event, event, event, event]);
  store = await openStore(dir);
  expect([...store.ruleMessages.values()]).toEqual([]);
  await store.close();
  rmSync(dir, { recursive: true });
});

test('what fails because the cloud ends is left for the next run, and no error action is told', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'beam-rules-'));
  const store = await openStore(dir);
  const told: Call[] = [];
  const ending = createRulesEngine({
    executors: {
      ...nothing,
      lambda() {
        throw new Error('The local cloud is ending');
      },
      sqs: (call) => told.push(call),
    },
    log: { warn: () => {}, error: () => {} },
    inbox: openRulesInbox(store, () => {}),
  });
  const errorAction = { sqs: { roleArn: 'r', queueUrl: 'https://q/0/failed' } };
  ending.load('r', rule("SELECT * FROM 'a'", [lambda('f')], { errorAction }));
  const send = async () => {
    const taken = ending.take('a', () => Buffer.from('{}'), {}, true);
    await taken?.run();
    await taken?.noted;
  };
  await send();
  await eventually(() => [...store.ruleMessages.values()].length === 0);
  expect(told).toHaveLength(1);
  ending.stop();
  await send();
  await settle();
  expect([...store.ruleMessages.values()]).toMatchObject([{ rules: ['r'] }]);
  expect(told).toHaveLength(1);
  await store.close();
  rmSync(dir, { recursive: true });
});
