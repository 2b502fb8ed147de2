import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GetThingShadowCommand, IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import { afterEach, expect, test } from '@jest/globals';
import { callBounds, clientSettings } from './environment.ts';

let close: () => void = () => {};
afterEach(() => close());

test('a call that is not answered ends at its bound', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const client = new IoTDataPlaneClient({
    ...clientSettings,
    maxAttempts: 1,
    region: 'local',
    endpoint: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  });
  close = () => {
    client.destroy();
    silent.closeAllConnections();
    silent.close();
  };
  const atMs = performance.now();
  await expect(client.send(new GetThingShadowCommand({ thingName: 't' }))).rejects.toMatchObject({
    name: 'TimeoutError',
  });
  expect(performance.now() - atMs).toBeLessThan(2 * callBounds.answerMsMax);
});
