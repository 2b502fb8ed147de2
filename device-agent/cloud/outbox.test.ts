import { appendFile, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { NotSentError } from './cloud-link.ts';
import { Outbox, outboxEntriesMax } from './outbox.ts';

const log = pino({ level: 'silent' });

async function made(publish: (topic: string, payload: string) => Promise<void>) {
  const file = join(await mkdtemp(join(tmpdir(), 'beam-outbox-')), 'outbox.jsonl');
  const outbox = new Outbox({ file, log, publish });
  await outbox.load();
  return { file, outbox };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

test('what was added while offline outlives the pilot and is sent in order on return, once acknowledged never again', async () => {
  const { file, outbox } = await made(async () => {
    throw new NotSentError('offline');
  });
  for (const payload of ['1', '2', '3']) outbox.add('t', payload);
  await outbox.stop();
  // A crash in the middle of a line.
  await appendFile(file, '{"topic":"t","pay');

  const sent: string[] = [];
  const next = new Outbox({
    file,
    log,
    publish: async (_, payload) => {
      sent.push(payload);
    },
  });
  await next.load();
  next.connected();
  next.add('t', '4');
  await until(() => next.length === 0);
  expect(sent).toEqual(['1', '2', '3', '4']);
  await next.stop();
  expect(await readFile(file, 'utf8')).toBe('');
});

test('the queue is bounded: the oldest go', async () => {
  const { outbox } = await made(async () => {});
  for (let index = 0; index < outboxEntriesMax + 5; index += 1) outbox.add('t', String(index));
  expect(outbox.length).toBe(outboxEntriesMax);
  await outbox.stop();
});

test('a message that was not acknowledged stays first and is tried again', async () => {
  let fails = 1;
  const sent: string[] = [];
  const { outbox } = await made(async (_, payload) => {
    if (fails-- > 0) throw new NotSentError('lost');
    sent.push(payload);
  });
  outbox.add('t', 'a');
  outbox.add('t', 'b');
  outbox.connected();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(outbox.length).toBe(2);
  outbox.connected();
  await until(() => outbox.length === 0);
  expect(sent).toEqual(['a', 'b']);
  await outbox.stop();
});
