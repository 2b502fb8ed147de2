import { expect, jest, test } from '@jest/globals';
import { parseEvent } from './events.ts';
import { handler } from './index.ts';
import { Seen } from './seen.ts';

const alert = {
  v: 1,
  thing: 'demo_a',
  bootId: 'boot',
  seq: 4,
  at: 1,
  severity: 'critical',
  text: 'gaiad of demo_a is down: look at its log',
  trigger: 'alert',
  fleet: 'demo',
  sender: 'demo_a',
  kind: 'gaiad-down',
  receivedAt: 2,
};

test('an alert is told once, as one structured line, however often it is delivered', async () => {
  const lines: string[] = [];
  const spy = jest.spyOn(console, 'error').mockImplementation((line: unknown) => {
    lines.push(String(line));
  });
  await handler(alert);
  await handler(alert);
  await handler({ ...alert, seq: 5 });
  spy.mockRestore();
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({
      level: 'error',
      alert: 'gaiad-down',
      severity: 'critical',
      fleet: 'demo',
      thing: 'demo_a',
    }),
    expect.objectContaining({ alert: 'gaiad-down' }),
  ]);
});

test('what a rule could not hand on is an alert', () => {
  const news = parseEvent(
    {
      ruleName: 'beam_health',
      topic: 'beam/demo/demo_b/health',
      failures: [{ failedAction: 'LambdaAction', failedResource: 'x', errorMessage: 'gone' }],
    },
    7,
  );
  expect(news).toMatchObject({
    alert: { kind: 'rule-failed', fleet: 'demo', thing: 'demo_b', severity: 'critical' },
  });
});

test('nobody alerts for another, nor of an unknown kind', () => {
  expect(parseEvent(alert, 0)).toHaveProperty('alert');
  expect(parseEvent({ ...alert, sender: 'demo_b' }, 0)).toHaveProperty('fault');
  expect(parseEvent({ ...alert, fleet: 'other' }, 0)).toHaveProperty('fault');
  expect(parseEvent({ ...alert, kind: 'weather' }, 0)).toHaveProperty('fault');
});

test('what is remembered is bounded', () => {
  const seen = new Seen(2);
  for (const id of ['a', 'b', 'c']) seen.add(id);
  expect(['a', 'b', 'c'].map((id) => seen.has(id))).toEqual([false, true, true]);
});
