import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, jest, test } from '@jest/globals';
import { Connections } from './connections.ts';

let close: () => void = () => {};
afterEach(() => close());

/** Each answer is the number of its connection, unless `say` has it otherwise. */
async function serving(
  say: { now?: (socket: Socket, answer: string) => void },
  { connectionsMax = 4, path }: { connectionsMax?: number; path?: string } = {},
) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const number = sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', () => {
      const answer = `HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n${number}`;
      if (say.now) say.now(socket, answer);
      else socket.write(answer);
    });
  }).listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path });
  await once(server, 'listening');
  const url = new URL(
    path === undefined
      ? `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      : 'https://nowhere.test',
  );
  const bounds = { connectionsMax, connectMsMax: 500, answerBytesMax: 100 };
  const connections = new Connections({ url, socket: path, ca: undefined, ...bounds });
  close = () => {
    connections.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  const { signal } = new AbortController();
  return { connections, sockets, ask: async () => (await connections.exchange('?', signal)).text };
}

test('a connection is used again, by one call at a time', async () => {
  const { ask } = await serving({});
  expect([await ask(), await ask()]).toEqual(['1', '1']);
  expect(await Promise.all([ask(), ask(), ask()])).toEqual(['1', '2', '3']);
  expect(await ask()).toMatch(/^[123]$/);
});

test.each<[what: string, now: (socket: Socket, answer: string) => void]>([
  ['says more than it was asked for', (socket, answer) => socket.write(`${answer}HTTP/1.1 200 OK`)],
  [
    'says more a moment later',
    (socket, answer) => socket.write(answer) && setTimeout(() => socket.write('!'), 5),
  ],
  ['is ended by the server behind its answer', (socket, answer) => socket.end(answer)],
  ['is ended by the server before its answer', (socket) => socket.end()],
  ['is reset', (socket) => socket.resetAndDestroy()],
  ['is no HTTP', (socket) => socket.write('no\r\n\r\n')],
  ['is not kept', (socket, answer) => socket.write(answer.replace('\r\n', '\r\nconnection: close\r\n'))],
])('a connection that %s is never used again', async (_what, now) => {
  const say: { now?: typeof now } = {};
  const { ask } = await serving(say);
  expect(await ask()).toBe('1');
  say.now = now;
  await ask().catch(() => undefined);
  delete say.now;
  await delay(100);
  expect(await ask()).toBe('2');
});

test('an answer that comes after its call was given up is nobody’s', async () => {
  const late: (() => void)[] = [];
  const say: { now?: (socket: Socket, answer: string) => void } = {
    now: (socket, answer) => late.push(() => socket.write(answer)),
  };
  const { connections, ask } = await serving(say);
  const giveUp = new AbortController();
  const asking = connections.exchange('?', giveUp.signal);
  while (late.length === 0) await delay(5);
  giveUp.abort();
  await expect(asking).rejects.toThrow('given up');
  for (const answer of late) answer();
  delete say.now;
  expect(await ask()).toBe('2');
  await expect(connections.exchange('?', giveUp.signal)).rejects.toThrow('given up');
});

test('calls at once are bounded, and the bound is over with them', async () => {
  const { ask } = await serving({}, { connectionsMax: 2 });
  const outcomes = await Promise.allSettled([ask(), ask(), ask()]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  expect(await ask()).toMatch(/^[12]$/);
});

test('a server on this machine is reached by its unix socket, unless that is another user’s', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'beam-socket-'));
  const path = join(folder, 'https.sock');
  const { ask } = await serving({}, { path });
  const [own, getuid] = [process.getuid?.() ?? -1, jest.spyOn(process, 'getuid')];
  try {
    expect([await ask(), await ask()]).toEqual(['1', '1']);
    // A root's own socket is good for everyone, so there it has to change hands.
    if (own === 0) chownSync(path, 65_534, 65_534);
    else getuid.mockReturnValue(own + 1);
    const fresh = () => Promise.all([ask(), ask()]);
    await expect(fresh()).rejects.toThrow(/another user's/);
  } finally {
    getuid.mockRestore();
    rmSync(folder, { recursive: true, force: true });
  }
});
