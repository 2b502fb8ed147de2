/** A bench for signers of one key with real sockets: homes on disk, gaiad's side of the connection, its RPC, DynamoDB. */

import { generateKeyPairSync, verify } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import toml from '@iarna/toml';
import { grant, signRecordKey, signTableName } from '../../protocol/sign-record.ts';
import { toUpdateItem } from '../../protocol/sign-record-dynamodb.ts';
import type { SigningKey } from '../core/ports.ts';
import { proposalRequest, voteRequest } from '../core/request.ts';
import { consensusAddress } from '../core/service.ts';
import { readHome } from '../home.ts';
import { openSigningKey } from '../keys/open.ts';
import { encodeFrame, FrameDecoder } from '../privval/frame.ts';
import { type PrivvalResponse, parseRequest, parseResponse } from '../privval/messages.ts';
import { SignerProcess } from '../signer-process.ts';
import { type Ask, chainId, message } from './requests.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
export const rawPublicKey = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
const rawPrivateKey = Buffer.concat([
  privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32),
  rawPublicKey,
]);
export const address = consensusAddress(rawPublicKey);
export const recordKey = signRecordKey(chainId, address);

/** DynamoDB's API in this process. */
export interface DynamoApi {
  handle(req: IncomingMessage, res: ServerResponse, body: Buffer): Promise<void>;
  perform(operation: string, input: Record<string, unknown>): Promise<{ status: number; body: object }>;
  close(): Promise<void>;
}

const urlOf = (server: HttpServer) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const recordAt = { TableName: signTableName, Key: { key: { S: recordKey } } };

export class Bench {
  /** The chain as the nodes' RPC tells it. */
  readonly chain = { height: 0, signed: new Set<number>(), blocksALook: 0, catchingUp: false };
  /** While false, DynamoDB's connections are cut. */
  dynamoUp = true;
  readonly #root = mkdtempSync(join(tmpdir(), 'beam-signer-'));
  readonly #running: { stop(): Promise<void> | void }[] = [];
  readonly #rpc = createHttpServer((req, res) => this.#answerRpc(req, res));
  readonly #front = createHttpServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    if (this.dynamoUp) await this.#dynamo?.handle(req, res, Buffer.concat(chunks));
    else req.socket.destroy();
  });
  #dynamo: DynamoApi | undefined;
  #homes = 0;

  /** @param open opens DynamoDB with its data in a folder */
  async start(open: (dir: string) => Promise<DynamoApi>): Promise<void> {
    this.#dynamo = await open(join(this.#root, 'db'));
    for (const server of [this.#rpc, this.#front]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
  }

  async stop(): Promise<void> {
    for (const server of [this.#rpc, this.#front]) {
      server.closeAllConnections();
      server.close();
    }
    await this.#dynamo?.close();
    rmSync(this.#root, { recursive: true });
  }

  /** As at the start, the homes aside. */
  async clear(): Promise<void> {
    for (const one of this.#running.splice(0).reverse()) await one.stop();
    Object.assign(this.chain, { height: 0, blocksALook: 0, catchingUp: false });
    this.chain.signed.clear();
    this.dynamoUp = true;
    await this.perform('DeleteItem', recordAt);
  }

  /** Stopped by `clear`, or by `stopLast`. */
  uses(one: { stop(): Promise<void> | void }): void {
    this.#running.push(one);
  }

  async stopLast(): Promise<void> {
    await this.#running.pop()?.stop();
  }

  async perform(operation: string, input: Record<string, unknown>): Promise<Record<string, unknown>> {
    const answer = await this.#dynamo?.perform(operation, input);
    if (answer?.status !== 200) throw new Error(`${operation}: ${JSON.stringify(answer)}`);
    return answer.body as Record<string, unknown>;
  }

  async record(): Promise<Record<string, { S?: string; N?: string }>> {
    const { Item } = await this.perform('GetItem', recordAt);
    return Item as Record<string, { S?: string; N?: string }>;
  }

  async deleteRecord(): Promise<void> {
    await this.perform('DeleteItem', recordAt);
  }

  async grantTo(thing: string): Promise<void> {
    const { recordId, grantEpoch } = await this.record();
    const seen = { recordId: recordId?.S ?? '', grantEpoch: Number(grantEpoch?.N) };
    await this.perform('UpdateItem', { ...toUpdateItem(signTableName, grant(recordKey, seen, thing)) });
  }

  /** @param settings of `[signer]`, beside the chain's id */
  makeHome(node: string, cloud = true, settings: Record<string, string> = {}): string {
    const home = join(this.#root, `h${++this.#homes}`);
    for (const folder of ['signer', 'run', 'gaiad/data']) mkdirSync(join(home, folder), { recursive: true });
    const key = {
      address,
      pub_key: { type: 'tendermint/PubKeyEd25519', value: rawPublicKey.toString('base64') },
      priv_key: { type: 'tendermint/PrivKeyEd25519', value: rawPrivateKey.toString('base64') },
    };
    writeFileSync(join(home, 'signer/priv_validator_key.json'), JSON.stringify(key), { mode: 0o600 });
    writeFileSync(join(home, 'credentials'), '[default]\naws_access_key_id = a\naws_secret_access_key = b\n');
    writeFileSync(join(home, 'node.toml'), toml.stringify({ fleet: 'demo', node, kind: 'validator' }));
    const config = {
      ...(cloud && {
        cloud: {
          mqtt: 'localhost:8883',
          region: 'local',
          https: urlOf(this.#front),
          certificate: 'c.pem',
          key: 'c.key',
          credentials: 'credentials',
        },
      }),
      gaiad: { command: ['gaiad'], home: 'gaiad', rpc: urlOf(this.#rpc), p2p: 'localhost:26656' },
      signer: { chain_id: chainId, ...settings },
    };
    writeFileSync(join(home, 'config.toml'), toml.stringify(config));
    return home;
  }

  /** @param signs in place of the home's key */
  async startSigner(home: string, signs?: SigningKey): Promise<SignerProcess> {
    const settings = readHome(home);
    const key = signs ?? (await openSigningKey(settings.key));
    const signer = new SignerProcess({ home: settings, key, log: silent, version: 'test', onFatal() {} });
    await signer.start();
    this.uses(signer);
    return signer;
  }

  startNode(home: string): NodeSide {
    const node = new NodeSide(home);
    this.uses(node);
    return node;
  }

  #answerRpc(req: IncomingMessage, res: ServerResponse): void {
    const { chain } = this;
    const height = Number(/height=(\d+)/.exec(req.url ?? '')?.[1] ?? 0);
    const signatures = [{ block_id_flag: chain.signed.has(height) ? 2 : 1, validator_address: address }];
    const status = {
      node_info: { network: chainId },
      sync_info: { latest_block_height: String(chain.height), catching_up: chain.catchingUp },
    };
    const commit = {
      signed_header: { header: { height: String(height), chain_id: chainId }, commit: { signatures } },
    };
    const result = req.url === '/status' ? status : commit;
    res.end(JSON.stringify({ jsonrpc: '2.0', id: -1, result }));
    if (req.url === '/status') chain.height += chain.blocksALook;
  }
}

/** Refusals of a record or a node that did not answer in time. */
const passing = new Set(['unvetted', 'doubt', 'too-late']);

/** gaiad's side of the socket. */
export class NodeSide {
  readonly server: Server;
  socket: Socket | undefined;
  #decoder = new FrameDecoder();
  #waiting: ((response: PrivvalResponse) => void)[] = [];

  constructor(home: string) {
    this.server = createServer((socket) => {
      this.socket = socket;
      this.#decoder = new FrameDecoder();
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        for (const frame of this.#decoder.push(chunk)) this.#waiting.shift()?.(parseResponse(frame));
      });
    }).listen(join(home, 'run/signer.sock'));
  }

  stop(): void {
    this.socket?.destroy();
    this.server.close();
  }

  async send(bytes: Uint8Array): Promise<PrivvalResponse> {
    await until(() => this.socket !== undefined, 'a signer that dials');
    return await new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.socket?.write(encodeFrame(bytes));
    });
  }

  /** As `ask`, which on a busy machine may first meet a time-out: the node asks again, too. */
  async settled(ask: Ask): Promise<string> {
    let answer = '';
    for (let tries = 0; tries < 20; tries++) {
      answer = await this.ask(ask);
      if (!passing.has(answer)) break;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return answer;
  }

  /** @returns 'signed' with a signature that verifies, or the refusal's code */
  async ask(ask: Ask): Promise<string> {
    const response = await this.send(message(ask));
    if (response.kind === 'error') return response.description.split(':')[0] ?? '';
    if (response.kind !== 'signVote' && response.kind !== 'signProposal') throw new Error(response.kind);
    const request = parseRequest(message(ask));
    const asked =
      request.kind === 'signVote'
        ? voteRequest(chainId, request.vote)
        : request.kind === 'signProposal'
          ? proposalRequest(chainId, request.proposal)
          : undefined;
    const bytes = asked?.signBytesAt(asked.timestamp);
    if (!bytes || !verify(null, bytes, publicKey, response.signature))
      throw new Error('not over these bytes');
    return 'signed';
  }
}

export async function until(
  met: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 5000,
): Promise<void> {
  const untilMs = Date.now() + timeoutMs;
  while (!(await met())) {
    if (Date.now() > untilMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function stateOf(signer: SignerProcess, state: string): () => boolean {
  return () => signer.status().state === state;
}
