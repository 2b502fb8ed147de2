import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, expect, test } from '@jest/globals';
import type { NodeAddress } from './home.ts';
import { dialAgainMs, dialAgainMsMax, failedAgainMsMax, NodeConnection } from './node-connection.ts';
import { underWayMax } from './node-line.ts';
import { encodeFrame, FrameDecoder } from './privval/frame.ts';
import {
  errorResponse,
  type PrivvalRequest,
  type PrivvalResponse,
  parseResponse,
  pingRequest,
  pingResponse,
  pubKeyRequest,
} from './privval/messages.ts';
import { until } from './rehearsal/bench.ts';
import { connectionKey } from './secret-connection/node-identity.ts';
import { SecretChannel } from './secret-connection/secret-channel.ts';

const folder = mkdtempSync(join(tmpdir(), 'beam-node-'));
const nodesKey = connectionKey(join(folder, 'node.pem'));
const ourKey = connectionKey(join(folder, 'ours.pem'));
const running: { stop(): unknown }[] = [];
afterEach(() => {
  for (const one of running.splice(0).reverse()) one.stop();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A node's side of real sockets; `talk: false`: it takes connections and says nothing. */
class Node {
  readonly lines: { socket: Socket; channel: SecretChannel | undefined; closed: boolean }[] = [];
  readonly answers: PrivvalResponse[] = [];
  readonly server: Server;
  readonly kind: 'unix' | 'tcp';
  readonly talk: boolean;

  constructor(kind: 'unix' | 'tcp', talk = true) {
    this.kind = kind;
    this.talk = talk;
    this.server = createServer((socket) => this.#take(socket));
    running.push(this);
  }

  async listen(pinned?: string): Promise<NodeAddress> {
    if (this.kind === 'unix') {
      const path = join(folder, `${Math.random().toString(36).slice(2)}.sock`);
      this.server.listen(path);
      await once(this.server, 'listening');
      return { kind: 'unix', path };
    }
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    const { port } = this.server.address() as AddressInfo;
    return { kind: 'tcp', host: '127.0.0.1', port, pinned, connectionKeyFile: '' };
  }

  get open() {
    return this.lines.filter(({ closed }) => !closed);
  }

  /** Of which the signer could prove itself. */
  get proven(): number {
    return this.lines.filter(({ channel }) => channel?.peer !== undefined).length;
  }

  send(...messages: Uint8Array[]): void {
    const line = this.lines.at(-1);
    const bytes = Buffer.concat(messages.map(encodeFrame));
    line?.socket.write(line.channel ? line.channel.seal(bytes) : bytes);
  }

  stop(): void {
    for (const { socket } of this.lines) socket.destroy();
    this.server.close();
  }

  #take(socket: Socket): void {
    const channel =
      this.kind === 'tcp' ? new SecretChannel({ key: nodesKey, checkPeer: () => {} }) : undefined;
    const line = { socket, channel, closed: false };
    const decoder = new FrameDecoder();
    this.lines.push(line);
    socket.on('error', () => {});
    socket.on('close', () => {
      line.closed = true;
    });
    if (!this.talk) return void socket.resume();
    if (channel) socket.write(channel.hello());
    socket.on('data', (chunk) => {
      let plain: Uint8Array = chunk;
      if (channel) {
        const heard = channel.receive(chunk);
        if (heard.send.length > 0) socket.write(heard.send);
        plain = heard.plain;
      }
      for (const frame of decoder.push(plain)) this.answers.push(parseResponse(frame));
    });
  }
}

const says: string[] = [];
const log = {
  debug() {},
  info: (_: object, text: string) => void says.push(text),
  warn: (fields: object, text: string) => void says.push(`${text} ${JSON.stringify(fields)}`),
  error() {},
};

function dial(
  node: NodeAddress,
  answer: (request: PrivvalRequest) => Promise<Uint8Array> = async () => pingResponse(),
  times = { establishMsMax: 300, silentMsMax: 400 },
) {
  const connection = new NodeConnection({ node, key: ourKey, answer, onChange() {}, log, times });
  running.push(connection);
  connection.start();
}

test.each(['unix', 'tcp'] as const)(
  '%s: answers leave in the order of the requests, a ping behind a slow one too',
  async (kind) => {
    const node = new Node(kind);
    const release: (() => void)[] = [];
    const begun: string[] = [];
    dial(await node.listen(), async (request) => {
      begun.push(request.kind);
      if (request.kind === 'ping') return pingResponse();
      await new Promise<void>((resolve) => release.push(resolve));
      return errorResponse('pubKey', 'slow');
    });
    await until(() => node.open.length === 1 && (kind === 'unix' || node.proven === 1), 'a signer');
    node.send(pubKeyRequest('c'), pingRequest());
    node.send(pubKeyRequest('c'), pingRequest());
    // All are under way at once: none waits for the time of those before it.
    await until(() => begun.length === 4, 'four requests');
    release[1]?.();
    await delay(50);
    expect(node.answers).toEqual([]);
    release[0]?.();
    await until(() => node.answers.length === 4, 'the answers');
    expect(node.answers.map((answer) => answer.kind)).toEqual(['error', 'ping', 'error', 'ping']);
  },
);

test('a flood of requests is cut off, and so is a node that leaves its answers unread', async () => {
  const flooded = new Node('unix');
  dial(await flooded.listen(), () => new Promise(() => {}));
  await until(() => flooded.open.length === 1, 'a signer');
  flooded.send(...Array.from({ length: underWayMax }, pingRequest));
  await delay(50);
  expect(flooded.lines[0]?.closed).toBe(false);
  flooded.send(pingRequest());
  await until(() => flooded.lines.length === 2, 'a new connection');
  expect(flooded.lines[0]?.closed).toBe(true);

  const deaf = new Node('unix');
  dial(await deaf.listen(), async () => new Uint8Array(50_000));
  await until(() => deaf.open.length === 1, 'a signer');
  deaf.lines[0]?.socket.pause();
  for (let batch = 0; deaf.lines.length === 1 && batch < 100; batch++) {
    deaf.send(...Array.from({ length: 4 }, pingRequest));
    await delay(5);
  }
  expect(deaf.lines.length).toBe(2);
});

test('by TCP, a node that does not answer the handshake, or falls silent, is dialled again', async () => {
  const mute = new Node('tcp', false);
  dial(await mute.listen());
  await until(() => mute.lines.length >= 2, 'a second try after the time for a handshake');
  expect(mute.lines[0]?.closed).toBe(true);

  const silent = new Node('tcp');
  dial(await silent.listen());
  await until(() => silent.proven === 1, 'a connection');
  // What a node sends keeps it: longer than the silence that is suffered.
  for (let ping = 0; ping < 6; ping++) {
    await delay(100);
    silent.send(pingRequest());
  }
  expect(silent.lines.length).toBe(1);
  await until(() => silent.proven === 2, 'a new connection after the silence');
  expect(silent.lines[0]?.closed).toBe(true);
});

test('by TCP, a node with another key than the pinned one is asked for nothing and told nothing', async () => {
  says.length = 0;
  const other = new Node('tcp');
  const asked: string[] = [];
  const answer = async ({ kind }: PrivvalRequest) => {
    asked.push(kind);
    return pingResponse();
  };
  dial(await other.listen(Buffer.from(ourKey.publicKey).toString('base64')), answer);
  await until(() => other.proven >= 2, 'several tries');
  other.send(pingRequest());
  await delay(50);
  expect([asked, other.answers]).toEqual([[], []]);
  // As a warning: those alone are kept with their fields.
  expect(says.join('\n')).toMatch(/can not be dialled yet .*another node than the one/);

  const right = new Node('tcp');
  dial(await right.listen(Buffer.from(nodesKey.publicKey).toString('base64')), answer);
  await until(() => right.proven === 1, 'a connection');
  right.send(pingRequest());
  await until(() => right.answers.length === 1, 'an answer');
});

test('a node whose key is not pinned is warned of', async () => {
  says.length = 0;
  const node = new Node('tcp');
  dial(await node.listen());
  await until(() => node.proven === 1, 'a connection');
  expect(says.join('\n')).toContain('the key of the node is not pinned');
});

test('a connection that was of use is dialled again at once, the others after a bounded while', async () => {
  const node = new Node('unix');
  dial(await node.listen());
  await until(() => node.open.length === 1, 'a signer');
  node.send(pingRequest());
  await until(() => node.answers.length === 1, 'an answer');
  says.length = 0;
  node.lines[0]?.socket.destroy();
  await until(() => node.lines.length === 2, 'a new connection');
  expect(says.join('\n')).toMatch(/dialling again .*"againMs":0\b/);

  const waits = (end: { code?: string; wasOpen?: boolean }) => {
    const { code, wasOpen = false } = end;
    const error = code === undefined ? undefined : Object.assign(new Error(code), { code });
    const all: number[] = [];
    for (let dial_ = 0; dial_ < 8; dial_++)
      all.push(dialAgainMs(all.at(-1) ?? 0, { served: false, wasOpen, error }));
    return all;
  };
  expect(waits({ code: 'ENOENT' })).toEqual([25, 50, 100, 100, 100, 100, 100, dialAgainMsMax]);
  expect(waits({ code: 'ECONNREFUSED' })).toEqual([25, 50, 100, 200, 400, 800, 1000, failedAgainMsMax]);
  // Taken and closed again, without a word.
  expect(waits({ wasOpen: true }).at(-1)).toBe(failedAgainMsMax);
  expect(dialAgainMs(800, { served: true, wasOpen: true, error: undefined })).toBe(0);
});
