/** JSON-RPC over HTTP (GET with parameters in the query, POST) and over WebSocket with subscriptions to new blocks. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import * as z from 'zod';
import type { NodeChain } from './node-chain.ts';
import { eventName, onEvents, subscribable } from './rpc-events.ts';
import { RpcError, type RpcMethod, type RpcParameters } from './rpc-methods.ts';
import { standInSentence } from './version.ts';

const bodyBytesMax = 1_000_000;
const batchMax = 10;
const subscriptionsMax = 5;
const webSocketBufferBytesMax = 1_000_000;
const shutdownGraceMs = 200;

type RequestId = string | number | null;

const rpcRequest = z.object({
  jsonrpc: z.literal('2.0').optional(),
  id: z.union([z.string(), z.number()]).nullish(),
  method: z.string(),
  params: z.union([z.record(z.string(), z.unknown()), z.array(z.unknown()).length(0)]).nullish(),
});

function answer(id: RequestId, result: unknown) {
  return { jsonrpc: '2.0', id, result };
}

function refusal(id: RequestId, error: unknown) {
  const known =
    error instanceof RpcError
      ? error
      : new RpcError(-32603, 'Internal error', error instanceof Error ? error.message : String(error));
  return { jsonrpc: '2.0', id, error: { code: known.code, message: known.message, data: known.data } };
}

/** `height=5`, `height="5"`: CometBFT takes both. */
function queryParameters(query: URLSearchParams): RpcParameters {
  return Object.fromEntries([...query].map(([key, value]) => [key, value.replace(/^"(.*)"$/s, '$1')]));
}

export class RpcServer {
  readonly #methods: Readonly<Record<string, RpcMethod>>;
  readonly #chain: NodeChain;
  readonly #connectionsMax: number;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: bodyBytesMax });
  #server: Server | undefined;

  constructor(options: {
    methods: Readonly<Record<string, RpcMethod>>;
    chain: NodeChain;
    /** 0: no limit. */
    connectionsMax: number;
  }) {
    this.#methods = options.methods;
    this.#chain = options.chain;
    this.#connectionsMax = options.connectionsMax;
  }

  /** @throws where the address is taken. */
  async start(listen: { host: string; port: number } | { path: string }): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request, response));
    this.#server = server;
    if (this.#connectionsMax > 0) server.maxConnections = this.#connectionsMax;
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      if (new URL(request.url ?? '/', 'http://node').pathname !== '/websocket') {
        socket.destroy();
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (client) => this.#serveSocket(client));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(
        'path' in listen ? listen : { port: listen.port, host: listen.host || undefined },
        resolve,
      );
    });
  }

  async stop(): Promise<void> {
    for (const client of this.#sockets.clients) client.terminate();
    const server = this.#server;
    if (!server) return;
    setTimeout(() => server.closeAllConnections(), shutdownGraceMs).unref();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #call(method: string, parameters: RpcParameters): unknown {
    const run = Object.hasOwn(this.#methods, method) ? this.#methods[method] : undefined;
    if (!run) throw new RpcError(-32601, 'Method not found', `the stand-in has no method ${method}`);
    return run(parameters);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', 'http://node');
      if (request.method === 'POST') {
        const { status, body } = this.#callAll(await readBody(request));
        send(response, status, body);
      } else if (url.pathname === '/') {
        send(response, 200, { standIn: standInSentence, methods: Object.keys(this.#methods) });
      } else {
        const method = url.pathname.slice(1);
        try {
          send(response, 200, answer(-1, this.#call(method, queryParameters(url.searchParams))));
        } catch (error) {
          send(response, error instanceof RpcError && error.code === -32601 ? 404 : 500, refusal(-1, error));
        }
      }
    } catch (error) {
      send(response, 400, refusal(null, new RpcError(-32700, 'Parse error', messageOf(error))));
    }
  }

  #callAll(text: string): { status: number; body: unknown } {
    const parsed: unknown = JSON.parse(text);
    if (Array.isArray(parsed)) {
      if (parsed.length > batchMax) throw new Error(`more than ${batchMax} requests in a batch`);
      return { status: 200, body: parsed.map((one) => this.#callOne(one)) };
    }
    const body = this.#callOne(parsed);
    return { status: 'error' in body ? 500 : 200, body };
  }

  #callOne(value: unknown) {
    const request = rpcRequest.safeParse(value);
    if (!request.success)
      return refusal(null, new RpcError(-32600, 'Invalid Request', 'no JSON-RPC 2.0 request'));
    const { id = null, method, params } = request.data;
    try {
      return answer(id, this.#call(method, Array.isArray(params) ? {} : (params ?? {})));
    } catch (error) {
      return refusal(id, error);
    }
  }

  #serveSocket(client: WebSocket): void {
    const subscriptions = new Map<string, RequestId>();
    const send = (value: unknown) => {
      if (client.bufferedAmount > webSocketBufferBytesMax) client.terminate();
      else client.send(JSON.stringify(value));
    };
    const forget = onEvents(this.#chain, ({ name, value, height }) => {
      for (const [query, id] of subscriptions) {
        if (eventName(query) !== name) continue;
        const data = { type: `tendermint/event/${name}`, value };
        const events = { 'tm.event': [name], ...(height === undefined ? {} : { 'block.height': [height] }) };
        send(answer(id, { query, data, events }));
      }
    });
    client.on('close', forget);
    client.on('error', () => client.terminate());
    client.on('message', (data) => {
      let value: unknown;
      try {
        value = JSON.parse(data.toString());
      } catch (error) {
        send(refusal(null, new RpcError(-32700, 'Parse error', messageOf(error))));
        return;
      }
      const request = rpcRequest.safeParse(value);
      const method = request.data?.method;
      if (!request.success || !method || !['subscribe', 'unsubscribe', 'unsubscribe_all'].includes(method)) {
        send(this.#callOne(value));
        return;
      }
      const { id = null, params } = request.data;
      const query = Array.isArray(params) ? undefined : params?.query;
      try {
        if (method === 'unsubscribe_all') subscriptions.clear();
        else if (method === 'unsubscribe') subscriptions.delete(String(query));
        else subscribe(subscriptions, query, id);
        send(answer(id, {}));
      } catch (error) {
        send(refusal(id, error));
      }
    });
  }
}

function subscribe(subscriptions: Map<string, RequestId>, query: unknown, id: RequestId): void {
  if (typeof query !== 'string' || !eventName(query)) {
    throw new RpcError(
      -32602,
      'Invalid params',
      `the stand-in knows tm.event = '${subscribable.join("' or '")}', not ${JSON.stringify(query)}`,
    );
  }
  if (subscriptions.has(query)) throw new RpcError(-32603, 'Internal error', 'already subscribed');
  if (subscriptions.size >= subscriptionsMax) {
    throw new RpcError(-32603, 'Internal error', `max_subscriptions_per_client ${subscriptionsMax} reached`);
  }
  subscriptions.set(query, id);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw new Error(`a request of more than ${bodyBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
