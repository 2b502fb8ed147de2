import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { SignerStatus } from '../../protocol/signer-control.ts';
import { systemClock } from '../clock.ts';
import { SignerLink } from './signer-link.ts';

const log = pino({ level: 'silent' });
const status: SignerStatus = {
  type: 'status',
  state: 'standby',
  address: 'A'.repeat(40),
  epoch: 1,
  height: 2,
  chainId: 'c',
  guard: 'record',
  released: { height: 1, round: 0, step: 3 },
  nodeConnected: true,
  signed: 0,
  refused: 0,
  pid: 9,
  version: '1',
};

let root: string;
let path: string;
let server: Server | undefined;
let sockets: Socket[];
let heard: string[];
let states: string[];
let link: SignerLink;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'beam-signer-link-'));
  path = join(root, 'control.sock');
  heard = [];
  states = [];
  sockets = [];
  link = new SignerLink(path, systemClock, log, {
    onStatus: ({ state }) => states.push(state),
    onDown: () => states.push('down'),
  });
});
afterEach(async () => {
  link.stop();
  await close();
  rmSync(root, { recursive: true, force: true });
});

async function listen(): Promise<void> {
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => heard.push(...String(data).trim().split('\n')));
  }).listen(path);
  await until(() => server?.listening === true);
}

async function close(): Promise<void> {
  for (const socket of sockets.splice(0)) socket.destroy();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('watches, hears in pieces, sends; a signer that is gone is dialled until it is back', async () => {
  link.start();
  expect(link.up).toBe(false);
  await listen();
  await until(() => heard.length > 0);
  expect(heard).toEqual(['{"type":"watch"}']);
  const line = `${JSON.stringify(status)}\n`;
  sockets[0]?.write(line + line.slice(0, 50));
  await until(() => states.length === 1);
  expect([link.up, link.downForMs, link.session]).toEqual([true, 0, 1]);
  sockets[0]?.write(`${line.slice(50)}{"type":"error","message":"x"}\nnonsense\n`);
  await until(() => states.length === 2);
  link.send({ type: 'grant', epoch: 4 });
  await until(() => heard.length === 2);
  expect(heard[1]).toBe('{"type":"grant","epoch":4}');

  await close();
  await until(() => states.includes('down'));
  expect(link.up).toBe(false);
  // Lost, not kept: who needs it says it again.
  link.send({ type: 'stand-by' });
  await listen();
  await until(() => heard.length === 3);
  sockets[0]?.write(line);
  await until(() => link.up);
  expect([link.session, heard[2]]).toEqual([2, '{"type":"watch"}']);
});

test('a line without an end is not collected for ever', async () => {
  await listen();
  link.start();
  await until(() => sockets.length === 1);
  sockets[0]?.write('x'.repeat(20_000));
  await until(() => sockets.length === 2);
});
