/** Plays a signer in the pilot's tests: says what the test wants it to say, notes what it is told. It signs nothing. */

import { mkdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { SignerStatus } from '../../protocol/signer-control.ts';

export class FakeSigner {
  readonly heard: string[] = [];
  #status: Record<string, unknown> = {};
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      this.heard.push(...String(data).trim().split('\n'));
      socket.write(`${JSON.stringify(this.#status)}\n`);
    });
  });

  async start(path: string, status: object): Promise<void> {
    this.say(status);
    mkdirSync(dirname(path), { recursive: true });
    await new Promise<void>((listening) => this.#server.listen(path, listening));
  }

  say(over: object): void {
    this.#status = { ...signerOf(), ...over };
    for (const socket of this.#sockets) socket.write(`${JSON.stringify(this.#status)}\n`);
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

export function signerOf(): SignerStatus {
  const record = { epoch: 3, holder: 'demo_other', grantEpoch: 3, grantTo: 'demo_other', ageMs: 5 };
  return {
    type: 'status',
    state: 'standby',
    address: 'A'.repeat(40),
    recordKey: `fake-1/${'A'.repeat(40)}`,
    recordId: 'record-1',
    epoch: 3,
    height: 10,
    chainId: 'fake-1',
    guard: 'record',
    record: { ...record, position: { height: 10, round: 0, step: 3 } },
    beat: { epoch: 3, stillMs: 10, readsStill: 0, yielded: false, lost: false },
    released: { height: 9, round: 0, step: 3 },
    nodeConnected: true,
    signed: 0,
    refused: 0,
    pid: 1,
    version: '0.1.0',
  };
}
