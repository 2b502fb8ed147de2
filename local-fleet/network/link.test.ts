import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { freePorts } from '../processes/ports.ts';
import { Link } from './link.ts';

let echo: Server;
let link: Link;
let cut = { out: false, in: false };
let port = 0;

beforeEach(async () => {
  cut = { out: false, in: false };
  const [targetPort = 0, linkPort = 0] = await freePorts(2);
  port = linkPort;
  echo = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(targetPort, '127.0.0.1');
  await once(echo, 'listening');
  link = new Link({ port, targetPort, cutOf: () => cut });
  await link.start();
});
afterEach(() => {
  link.stop();
  echo.close();
});

function dial(): { socket: Socket; heard: () => string } {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString();
  });
  socket.on('error', () => {});
  return { socket, heard: () => text };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    if (tries > 200) throw new Error('not in time');
    await delay(10);
  }
}

test.each([
  { out: true, in: false },
  { out: false, in: true },
])('what a cut %j holds back arrives after it, on connections old and new', async (cutNow) => {
  const old = dial();
  old.socket.write('a');
  await until(() => old.heard() === 'a');
  cut = cutNow;
  link.refresh();
  old.socket.write('b');
  const fresh = dial();
  fresh.socket.write('c');
  await delay(80);
  expect([old.heard(), fresh.heard()]).toEqual(['a', '']);
  cut = { out: false, in: false };
  link.refresh();
  await until(() => old.heard() === 'ab' && fresh.heard() === 'c');
  old.socket.destroy();
  fresh.socket.destroy();
});

test('the end of a connection is told, but not through a cut', async () => {
  const { socket } = dial();
  const [server] = (await once(echo, 'connection')) as [Socket];
  cut = { out: true, in: true };
  link.refresh();
  let closed = false;
  server.on('close', () => {
    closed = true;
  });
  socket.destroy();
  await delay(80);
  expect(closed).toBe(false);
  cut = { out: false, in: false };
  link.refresh();
  await until(() => closed);
});
