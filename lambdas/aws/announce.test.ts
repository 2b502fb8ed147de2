import type { IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import { expect, jest, test } from '@jest/globals';
import { Announcer } from './announce.ts';

const quietMs = 60_000;

test('an alert is repeated after its quiet time, and at once where the clock was set back (a publisher that only counts)', async () => {
  jest.spyOn(console, 'warn').mockImplementation(() => {});
  let now = 1_000_000;
  const sent: number[] = [];
  // AWS's client can't run here without AWS; that it publishes is shown by the drills.
  const counting = { send: async () => void sent.push(now) } as unknown as IoTDataPlaneClient;
  const announcer = new Announcer(counting, () => now);
  const announce = (text: string) =>
    announcer.announce({
      fleet: 'demo',
      thing: 'demo_a',
      kind: 'offline',
      severity: 'warning',
      text,
      quietMs,
    });

  await announce('2 peers');
  now += quietMs - 1;
  await announce('3 peers');
  expect(sent).toEqual([1_000_000]);
  now += 1;
  await announce('3 peers');
  expect(sent).toEqual([1_000_000, 1_060_000]);
  // An hour back: what was sent then is not "just now" for an hour.
  now -= 3_600_000;
  await announce('3 peers');
  expect(sent).toHaveLength(3);
});
