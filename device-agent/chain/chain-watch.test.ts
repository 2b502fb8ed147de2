import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { WebSocketServer } from 'ws';
import { systemClock } from '../clock.ts';
import { NodeRpc } from '../gaiad/rpc.ts';
import { ChainWatch } from './chain-watch.ts';

const log = pino({ level: 'silent' });
const ours = 'A'.repeat(40);

/** A node whose RPC and websocket are real, and whose blocks are made by the test. */
class Node {
  height = 0;
  /** Heights whose commit lacks our signature. */
  missed = new Set<number>();
  asked: number[] = [];
  power = '10';
  sockets: WebSocketServer | undefined;
  #server: Server | undefined;

  async start(websocket: boolean): Promise<string> {
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://node');
      response.end(JSON.stringify({ jsonrpc: '2.0', id: -1, result: this.#answer(url) }));
    });
    this.#server = server;
    if (websocket) this.sockets = new WebSocketServer({ server, path: '/websocket' });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  stop(): void {
    for (const client of this.sockets?.clients ?? []) client.terminate();
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  /** Makes a block; `tell`: its event goes out. */
  make(tell = true): void {
    this.height += 1;
    if (!tell) return;
    const block = {
      header: { height: String(this.height), time: this.#time(this.height) },
      last_commit: this.height > 1 ? this.#commit(this.height - 1) : { height: '0', signatures: null },
    };
    const result = { query: 'q', data: { type: 'tendermint/event/NewBlock', value: { block } } };
    for (const client of this.sockets?.clients ?? []) client.send(JSON.stringify({ id: 1, result }));
  }

  #time(height: number): string {
    return new Date(1_700_000_000_000 + height * 2000).toISOString();
  }

  #commit(height: number) {
    const signed = !this.missed.has(height);
    return {
      height: String(height),
      signatures: [
        { block_id_flag: 2, validator_address: 'C'.repeat(40) },
        signed ? { block_id_flag: 2, validator_address: ours } : { block_id_flag: 1, validator_address: '' },
      ],
    };
  }

  #answer(url: URL): unknown {
    if (url.pathname === '/status') {
      return {
        node_info: { id: 'i', network: 'n', version: 'v' },
        sync_info: {
          latest_block_height: String(this.height),
          latest_block_time: this.#time(this.height),
          catching_up: false,
        },
        validator_info: { address: ours, voting_power: this.power },
      };
    }
    if (url.pathname === '/commit') {
      const height = Number(url.searchParams.get('height'));
      this.asked.push(height);
      return { signed_header: { commit: this.#commit(height) }, canonical: height < this.height };
    }
    return url.pathname === '/net_info' ? { n_peers: '4' } : { response: { version: '1' } };
  }
}

let node: Node;
let watch: ChainWatch;
let commits: number[];
let url: string;

beforeEach(() => {
  node = new Node();
  commits = [];
});
afterEach(() => {
  watch.stop();
  node.stop();
});

function made(address: () => string | undefined = () => ours): ChainWatch {
  const rpc = new NodeRpc(url);
  watch = new ChainWatch(
    { rpcUrl: url, rpc, clock: systemClock, log, address },
    { onCommit: (height) => commits.push(height), onChange: () => {} },
  );
  return watch;
}

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 8_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`did not come about: ${condition}; ${JSON.stringify(watch.view)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('blocks come by event, at once, and their last commits are counted', async () => {
  url = await node.start(true);
  node.height = 10;
  node.missed.add(12);
  made().start();
  await until(() => (node.sockets?.clients.size ?? 0) === 1 && watch.node.peers === 4);
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (let height = 11; height <= 15; height += 1) node.make();
  await until(() => watch.view.countedTo === 14);
  expect(commits).toEqual([10, 11, 12, 13, 14, 15]);
  // From where the watch began: 10's commit is the first that it saw being made.
  expect(watch.view).toMatchObject({ missedTotal: 1, lastSignedHeight: 14, height: 15 });
  expect(watch.view.recent.filter((signed) => !signed)).toHaveLength(1);
  expect(node.asked).toEqual([]);
});

test('without a websocket the status is polled, and each commit looked up once it is final', async () => {
  url = await node.start(false);
  node.height = 5;
  node.missed.add(6);
  made().start();
  await until(() => watch.view.height === 5);
  node.make();
  node.make();
  await until(() => watch.view.countedTo === 6);
  expect(watch.view).toMatchObject({ missedTotal: 1, height: 7 });
  expect(node.asked).not.toContain(7);
});

test("a pilot that was away looks up what it missed, so that its own absence is no validator's miss", async () => {
  url = await node.start(true);
  node.height = 50;
  node.missed.add(33);
  made().start({ chainId: 'n', countedTo: 30, missedTotal: 2, lastSignedHeight: 30 });
  await until(() => watch.view.countedTo === 49);
  expect(watch.view).toMatchObject({ missedTotal: 3, lastSignedHeight: 49 });
  expect(node.asked).toEqual(Array.from({ length: 19 }, (_, index) => 31 + index));
});

test('nothing is counted before the address is known, nor for a validator outside the set', async () => {
  url = await node.start(true);
  node.height = 20;
  let address: string | undefined;
  made(() => address).start({ chainId: 'n', countedTo: 10, missedTotal: 0 });
  await until(() => watch.node.status !== undefined);
  expect(watch.view.countedTo).toBe(10);
  node.power = '0';
  address = ours;
  await until(() => watch.view.countedTo === 19);
  expect(watch.view.recent).toEqual([]);
});

test('a node that is gone is silent, one that comes back is heard', async () => {
  url = await node.start(true);
  node.height = 3;
  made().start();
  await until(() => watch.node.answeredAtMs !== undefined && watch.node.silentSinceMs === undefined);
  node.stop();
  await until(() => watch.node.silentSinceMs !== undefined);
  watch.nodeStarted();
  expect(watch.node.status).toBeUndefined();
});
