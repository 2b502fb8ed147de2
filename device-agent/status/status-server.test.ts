import { request } from 'node:http';
import { afterEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { StatusServer } from './status-server.ts';

let trouble: string | undefined;
const lines: { level: number; msg: string; port: number }[] = [];
const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
const source = { trouble: () => trouble, status: () => ({ thing: 'demo_a' }) };
const servers: StatusServer[] = [];

function made(port = 0): StatusServer {
  const server = new StatusServer(port, source, log);
  servers.push(server);
  return server;
}

afterEach(async () => {
  trouble = undefined;
  for (const server of servers.splice(0)) await server.stop();
});

/** Node's fetch sets Host itself. */
function statusAs(host: string, address: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(address);
    request({ hostname, port, path: '/status', headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}

test('healthz says yes or no, and why; status is JSON; nothing else is there', async () => {
  const address = await made().start();
  const get = (path: string, method = 'GET') => fetch(`${address}${path}`, { method });
  expect((await get('/healthz')).status).toBe(200);
  trouble = 'gaiad is failed';
  const unwell = await get('/healthz');
  expect([unwell.status, await unwell.json()]).toEqual([503, { ok: false, trouble }]);
  expect(await (await get('/status')).json()).toEqual({ thing: 'demo_a' });
  expect((await get('/')).status).toBe(404);
  expect((await get('/status', 'POST')).status).toBe(405);
});

test('it listens on loopback, and answers to loopback names alone', async () => {
  const address = (await made().start()) ?? '';
  expect(new URL(address).hostname).toBe('127.0.0.1');
  expect(await statusAs('localhost:80', address)).toBe(200);
  expect(await statusAs('evil.example', address)).toBe(403);
});

test('a port that is taken is told with the remedy, and the pilot goes on', async () => {
  const port = Number(new URL((await made().start()) ?? '').port);
  expect(await made(port).start()).toBeUndefined();
  expect(lines.at(-1)).toMatchObject({
    level: 50,
    port,
    msg: expect.stringContaining('set another [status] port'),
  });
});
