import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { freePorts, portIsFree } from './ports.ts';

test('free ports are different and free; one that is listened on is not', async () => {
  const ports = await freePorts(12);
  expect(new Set(ports).size).toBe(12);
  const [port = 0] = ports;
  expect(await portIsFree(port)).toBe(true);
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  expect(await portIsFree(port)).toBe(false);
  server.close();
});

test('no port is given twice, though nobody listens on it yet', async () => {
  const ports: number[] = [];
  for (let asked = 0; asked < 40; asked++) ports.push(...(await freePorts(25)));
  expect(new Set(ports).size).toBe(1000);
});
