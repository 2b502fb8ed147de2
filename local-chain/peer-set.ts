/**
 * This node's peers. It dials its persistent peers and seeds, and lets others in. The simulated validators are out in
 * the open network: a node with `pex` finds them, as any node with peer exchange would; one without sees the chain only
 * through a peer that has a way to them.
 */

import { connect, createServer, type Server, type Socket } from 'node:net';
import { type KeyPair, nodeIdOf } from './keys.ts';
import type { Log } from './log.ts';
import { Peer, PeerError } from './peer.ts';
import type { SelfDescription } from './peer-messages.ts';
import type { PeerAddress } from './setting-values.ts';

const firstRedialMs = 200;
const redialMsMax = 1_000;
const dialTimeoutMs = 3_000;
const pingMs = 1_000;
/** A peer that says nothing for so long is frozen, or its machine is gone. */
const silenceMsMax = 4_000;
/** A way longer than this is none: it ends what two nodes tell each other of a way that is gone. */
const hopsMax = 8;

export interface PeerSetOptions {
  key: KeyPair;
  self: SelfDescription;
  listen: { host: string; port: number } | undefined;
  dial: readonly PeerAddress[];
  pex: boolean;
  inboundMax: number;
  unconditional: readonly string[];
  log: Log;
  signal: AbortSignal;
  now(): number;
  /** The way to the other validators is there, or gone. */
  onReachable(reachable: boolean): void;
}

export class PeerSet {
  readonly #options: PeerSetOptions;
  readonly #ownId: string;
  readonly #peers = new Map<string, Peer>();
  #server: Server | undefined;
  #wasReachable = false;
  #lastBeatMs = 0;

  constructor(options: PeerSetOptions) {
    this.#options = options;
    this.#ownId = nodeIdOf(options.key.publicKey);
    this.#wasReachable = options.pex;
  }

  get peers(): Peer[] {
    return [...this.#peers.values()];
  }

  get reachable(): boolean {
    return this.#hops() !== undefined;
  }

  /** @throws where the port is taken. */
  async start(): Promise<void> {
    const { listen, dial, signal } = this.#options;
    if (listen) {
      const server = createServer((socket) => this.#accept(socket));
      this.#server = server;
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(listen.port, listen.host || undefined, resolve);
      });
    }
    const timer = setInterval(() => this.#beat(), pingMs);
    this.#lastBeatMs = this.#options.now();
    signal.addEventListener('abort', () => {
      clearInterval(timer);
      this.#server?.close();
      for (const peer of this.peers) peer.drop();
    });
    for (const address of dial) {
      if (address.id !== this.#ownId) void this.#keepDialling(address);
    }
  }

  #beat(): void {
    const now = this.#options.now();
    const frozen = now - this.#lastBeatMs > 2 * pingMs;
    this.#lastBeatMs = now;
    for (const peer of this.peers) {
      // After this process was frozen itself, its peers' silence says nothing.
      if (frozen) peer.heardAtMs = now;
      if (now - peer.heardAtMs > silenceMsMax) peer.drop();
      else peer.ping();
    }
  }

  /** Our way, without what `except` told us of its own. */
  #hops(except?: Peer): number | undefined {
    if (this.#options.pex) return 0;
    const ways = this.peers
      .filter((peer) => peer !== except)
      .flatMap(({ reach }) => (reach === undefined || reach + 1 > hopsMax ? [] : [reach + 1]));
    return ways.length === 0 ? undefined : Math.min(...ways);
  }

  #tellAll(): void {
    for (const peer of this.peers) peer.tellReach(this.#hops(peer));
    if (this.reachable === this.#wasReachable) return;
    this.#wasReachable = this.reachable;
    this.#options.onReachable(this.reachable);
  }

  async #keepDialling(address: PeerAddress): Promise<void> {
    const { signal, log } = this.#options;
    let pauseMs = firstRedialMs;
    let said = '';
    while (!signal.aborted) {
      if (!this.#peers.has(address.id)) {
        const failure = await this.#dial(address);
        if (failure && failure !== said) {
          said = failure;
          log.error('dialling failed', {
            peer: `${address.id}@${address.host}:${address.port}`,
            err: failure,
          });
        }
        pauseMs = failure ? Math.min(pauseMs * 1.5, redialMsMax) : firstRedialMs;
      }
      await sleep(pauseMs, signal);
    }
  }

  /** @returns why it failed, or undefined. */
  async #dial({ id, host, port }: PeerAddress): Promise<string | undefined> {
    const socket = connect({ host, port });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.setTimeout(dialTimeoutMs, () => reject(new PeerError('dial: time-out')));
        socket.once('connect', () => resolve()).once('error', reject);
      });
      socket.setTimeout(0);
      await this.#meet(socket, true, id);
      return undefined;
    } catch (error) {
      socket.destroy();
      return error instanceof Error ? error.message : String(error);
    }
  }

  #accept(socket: Socket): void {
    this.#meet(socket, false).catch((error: Error) => {
      socket.destroy();
      this.#options.log.debug('a peer was not let in', { err: error.message });
    });
  }

  async #meet(socket: Socket, outbound: boolean, expectedId?: string): Promise<void> {
    const { key, self, now, inboundMax, unconditional, log } = this.#options;
    const peer = new Peer({ socket, outbound, key, self, now });
    await peer.handshake();
    if (expectedId && peer.id !== expectedId) {
      throw new PeerError(`auth failure: conn.ID (${peer.id}) dialed ID (${expectedId}) mismatch`);
    }
    if (peer.id === this.#ownId) throw new PeerError('this is ourselves');
    const inbound = this.peers.filter((other) => !other.outbound).length;
    if (!outbound && inbound >= inboundMax && !unconditional.includes(peer.id)) {
      throw new PeerError(`already has enough inbound peers (${inboundMax})`);
    }
    const known = this.#peers.get(peer.id);
    if (known) {
      if (known.outbound !== outbound && this.#prefers(known)) {
        peer.drop();
        return;
      }
      known.drop();
    }
    this.#peers.set(peer.id, peer);
    peer.onReach = () => this.#tellAll();
    log.info('added peer', { id: peer.id, moniker: peer.hello?.moniker ?? '', outbound });
    this.#tellAll();
    void peer.closed.then(() => {
      if (this.#peers.get(peer.id) !== peer) return;
      this.#peers.delete(peer.id);
      log.info('stopped peer', { id: peer.id, moniker: peer.hello?.moniker ?? '' });
      this.#tellAll();
    });
  }

  /** Of two connections between two nodes both keep the one that the lower id dialled. */
  #prefers(peer: Peer): boolean {
    return peer.outbound === this.#ownId < peer.id;
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}
