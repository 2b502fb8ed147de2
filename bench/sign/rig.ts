/** One signer process that is measured: its home, its key, gaiad's side of its socket, and gaiad's RPC. */

import { generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import toml from '@iarna/toml';
import type { ReadyLine } from '../../local-fleet/ready-line.ts';
import { voteRequest } from '../../signer/core/request.ts';
import { consensusAddress } from '../../signer/core/service.ts';
import { keyFileText } from '../../signer/keys/key-material.ts';
import { encodeFrame, FrameDecoder } from '../../signer/privval/frame.ts';
import { type PrivvalResponse, parseRequest, parseResponse } from '../../signer/privval/messages.ts';
import { chainId, message } from '../../signer/rehearsal/requests.ts';

const answerMsMax = 10_000;
const triesMax = 5;

export class SignerRig {
  readonly home: string;
  readonly address: string;
  readonly privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #cloud: ReadyLine;
  /** What the node has committed, with our signature. */
  #committed = 0;
  #socket: Socket | undefined;
  #waiting: ((response: PrivvalResponse) => void) | undefined;
  readonly #node = createServer((socket) => this.#serve(socket));
  readonly #rpc = createHttpServer((request, response) => {
    const height = Number(/height=(\d+)/.exec(request.url ?? '')?.[1] ?? 0);
    response.end(JSON.stringify({ jsonrpc: '2.0', id: -1, result: this.#rpcResult(request.url, height) }));
  });

  constructor(home: string, cloud: ReadyLine) {
    this.home = home;
    this.#cloud = cloud;
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    this.privateKey = privateKey;
    this.#publicKey = publicKey;
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    this.address = consensusAddress(raw);
  }

  get metricsUrl(): string {
    return `http://127.0.0.1:${this.#metricsPort}/metrics`;
  }
  #metricsPort = 0;

  async prepare(metricsPort: number): Promise<void> {
    const { home } = this;
    this.#metricsPort = metricsPort;
    for (const folder of ['signer', 'run', 'gaiad'])
      mkdirSync(join(home, folder), { recursive: true, mode: 0o700 });
    const seed = this.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
    writeFileSync(join(home, 'signer/priv_validator_key.json'), keyFileText({ kind: 'seed', seed }), {
      mode: 0o600,
    });
    const { accessKeyId, secretAccessKey, https, socket, ca, region, mqtt } = this.#cloud;
    writeFileSync(
      join(home, 'credentials'),
      `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
      { mode: 0o600 },
    );
    writeFileSync(join(home, 'node.toml'), toml.stringify({ fleet: 'bench', node: 'a', kind: 'validator' }));
    for (const [server, where] of [
      [this.#rpc, { port: 0, host: '127.0.0.1' }],
      [this.#node, { path: join(home, 'run/signer.sock') }],
    ] as const) {
      server.listen(where);
      await once(server, 'listening');
    }
    const rpc = `http://127.0.0.1:${(this.#rpc.address() as AddressInfo).port}`;
    const config = {
      mode: 'sign',
      cloud: {
        mqtt,
        region,
        https,
        ...(socket !== undefined && { socket }),
        ca,
        certificate: 'c.pem',
        key: 'c.key',
        credentials: 'credentials',
      },
      gaiad: { command: ['gaiad'], home: 'gaiad', rpc, p2p: 'localhost:26656' },
      signer: { chain_id: chainId, metrics: `127.0.0.1:${metricsPort}` },
    };
    writeFileSync(join(home, 'config.toml'), toml.stringify(config));
  }

  /** Refusals for want of time, each asked again as a node does. */
  late = 0;

  /** @returns ms from the request written to the answer read, the last time it was asked. @throws where it is no signature over what was asked */
  async sign(height: number, step: 2 | 3): Promise<number> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#ask(height, step);
      } catch (error) {
        if (tries === triesMax || !/^(too-late|doubt)/.test((error as Error).message)) throw error;
        this.late += 1;
      }
    }
  }

  async #ask(height: number, step: 2 | 3): Promise<number> {
    const socket = this.#socket;
    if (!socket) throw new Error('the signer is not connected');
    const asked = message({ height, step, block: `block ${height}`, validator: this.address });
    const answered = new Promise<PrivvalResponse>((resolve) => {
      this.#waiting = resolve;
    });
    const timeUp = delay(answerMsMax, undefined, { ref: false }).then((): never => {
      throw new Error(`no answer within ${answerMsMax} ms`);
    });
    const frame = encodeFrame(asked);
    const beganMs = performance.now();
    socket.write(frame);
    const response = await Promise.race([answered, timeUp]);
    const tookMs = performance.now() - beganMs;
    if (response.kind === 'error') throw new Error(response.description);
    if (response.kind !== 'signVote' || !this.#isOver(asked, response.signature))
      throw new Error('the answer is no signature over what was asked');
    if (step === 3) this.#committed = height;
    return tookMs;
  }

  async waitForSigner(ended: () => string | undefined): Promise<void> {
    while (!this.#socket) {
      const reason = ended();
      if (reason !== undefined) throw new Error(reason);
      await delay(20);
    }
  }

  scrape(): Promise<string> {
    return fetch(this.metricsUrl).then((response) => response.text());
  }

  close(): void {
    this.#socket?.destroy();
    this.#node.close();
    this.#rpc.closeAllConnections();
    this.#rpc.close();
  }

  #serve(socket: Socket): void {
    this.#socket = socket;
    const decoder = new FrameDecoder();
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      for (const frame of decoder.push(chunk)) this.#waiting?.(parseResponse(frame));
    });
  }

  #isOver(asked: Uint8Array, signature: Uint8Array): boolean {
    const request = parseRequest(asked);
    if (request.kind !== 'signVote') return false;
    const { signBytesAt, timestamp } = voteRequest(chainId, request.vote);
    const bytes = signBytesAt(timestamp);
    return bytes !== undefined && verify(null, bytes, this.#publicKey, signature);
  }

  #rpcResult(url: string | undefined, height: number): object {
    if (url === '/status') {
      return {
        node_info: { network: chainId },
        sync_info: { latest_block_height: String(this.#committed), catching_up: false },
      };
    }
    const signatures = [{ block_id_flag: 2, validator_address: this.address }];
    return {
      signed_header: { header: { height: String(height), chain_id: chainId }, commit: { signatures } },
    };
  }
}
