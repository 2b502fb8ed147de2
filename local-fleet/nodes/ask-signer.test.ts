import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { askSigner } from './ask-signer.ts';

const root = mkdtempSync(join(tmpdir(), 'beam-ask-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const status = {
  type: 'status',
  state: 'standby',
  address: 'AB',
  epoch: 1,
  height: 7,
  chainId: 'beam-1',
  guard: 'record',
  released: { height: 7, round: 0, step: 3 },
  nodeConnected: true,
  signed: 3,
  refused: 0,
  pid: 1,
  version: '0.1.0',
};

async function withSigner<T>(
  answer: (socket: Socket) => void,
  ask: (path: string) => Promise<T>,
): Promise<T> {
  const path = join(mkdtempSync(join(root, 'x')), 'control.sock');
  const server = createServer(answer).listen(path);
  await once(server, 'listening');
  try {
    return await ask(path);
  } finally {
    server.close();
  }
}

test('a signer answers with its status, in pieces too', async () => {
  const line = `${JSON.stringify(status)}\n`;
  const answer = (socket: Socket) =>
    socket.once('data', () => {
      socket.write(line.slice(0, 20));
      setTimeout(() => socket.write(line.slice(20)), 20);
    });
  expect(await withSigner(answer, (path) => askSigner(path))).toEqual(status);
});

test('no signer, a silent one and one that talks nonsense are no answer', async () => {
  expect(await askSigner('/nowhere/control.sock')).toBeUndefined();
  expect(
    await withSigner(
      () => {},
      (path) => askSigner(path, 50),
    ),
  ).toBeUndefined();
  expect(
    await withSigner(
      (socket) => socket.write('{}\n'),
      (path) => askSigner(path),
    ),
  ).toBeUndefined();
});
