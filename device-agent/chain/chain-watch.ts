/**
 * Follows the node beside us: NewBlock over its websocket, `/status` all the while (it also tells a frozen node), and each
 * block's LastCommit for our validator's signatures. Heights that no event brought are looked up, so that the
 * pilot's own absence never counts as a miss.
 */

import WebSocket from 'ws';
import * as z from 'zod';
import type { Clock } from '../clock.ts';
import { blockTime, type Commit, commit, type NodeRpc, type StatusResult } from '../gaiad/rpc.ts';
import type { Logger } from '../log.ts';
import { type ChainView, committed, counted, initialChainView } from './chain-view.ts';
import type { KeptCounts } from './kept-counts.ts';

const statusPeriodMs = 1_000;
/** Without a websocket `/status` is all there is. */
const statusPeriodPollingMs = 250;
const redialMs = 1_000;
const handshakeTimeoutMs = 3_000;
const eventBytesMax = 32 * 1024 * 1024;
const peersPeriodMs = 10_000;
/** Heights looked up after an absence; older ones are left uncounted. */
const lookUpHeightsMax = 500;

const integer = z.union([z.number().int(), z.string().regex(/^\d+$/)]).transform(Number);
const newBlock = z.object({
  result: z.object({
    data: z.object({
      value: z.object({
        block: z.object({
          header: z.object({ height: integer, time: blockTime }),
          last_commit: commit.nullish(),
        }),
      }),
    }),
  }),
});

export interface ChainWatchEvents {
  /** The node committed this height. */
  onCommit(height: number): void;
  /** Signatures were counted, or `/status` was answered or not. */
  onChange(): void;
}

export interface NodeView {
  status: StatusResult | undefined;
  /** Monotonic ms of the last answer; undefined: none since the pilot's start or the node's. */
  answeredAtMs: number | undefined;
  /** Monotonic ms since which it has not answered; undefined while it does. */
  silentSinceMs: number | undefined;
  peers: number | undefined;
  chainVersion: string | undefined;
}

const unheard: NodeView = {
  status: undefined,
  answeredAtMs: undefined,
  silentSinceMs: undefined,
  peers: undefined,
  chainVersion: undefined,
};

export interface ChainWatchOptions {
  /** http://host:port */
  rpcUrl: string;
  rpc: NodeRpc;
  clock: Clock;
  log: Logger;
  /** Of our validator, 40 upper-case hex digits; undefined: not known yet; 'none' where this server has no signer. */
  address(): string | undefined;
}

export class ChainWatch {
  readonly #options: ChainWatchOptions;
  readonly #events: ChainWatchEvents;
  #view: ChainView = initialChainView;
  #node: NodeView = unheard;
  #socket: WebSocket | undefined;
  #subscribed = false;
  #timers = new Set<NodeJS.Timeout>();
  #stopped = true;
  #lookingUp = false;
  #peersAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ChainWatchOptions, events: ChainWatchEvents) {
    this.#options = options;
    this.#events = events;
  }

  get view(): ChainView {
    return this.#view;
  }

  get node(): NodeView {
    return this.#node;
  }

  /** @param counts kept of an earlier run: its heights up to now are looked up. */
  start(counts?: KeptCounts): void {
    this.#stopped = false;
    if (counts) {
      const { countedTo, missedTotal, lastSignedHeight } = counts;
      this.#view = { ...this.#view, countedTo, missedTotal, lastSignedHeight };
    }
    this.#dial();
    void this.#poll();
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#socket?.terminate();
  }

  /** The node was started: what the last one answered says nothing of it. */
  nodeStarted(): void {
    this.#node = unheard;
  }

  #after(ms: number, run: () => void): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }

  #dial(): void {
    if (this.#stopped) return;
    const url = new URL('/websocket', this.#options.rpcUrl);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url, { handshakeTimeout: handshakeTimeoutMs, maxPayload: eventBytesMax });
    this.#socket = socket;
    socket.on('open', () => {
      const params = { query: "tm.event='NewBlock'" };
      socket.send(JSON.stringify({ jsonrpc: '2.0', method: 'subscribe', id: 1, params }));
    });
    socket.on('message', (data) => this.#message(String(data)));
    socket.on('error', (error) => this.#options.log.debug({ reason: error.message }, "the node's websocket"));
    socket.on('close', () => {
      this.#subscribed = false;
      this.#after(redialMs, () => this.#dial());
    });
  }

  #message(text: string): void {
    let event: unknown;
    try {
      event = JSON.parse(text);
    } catch {
      this.#options.log.warn('the node sent an event that is not JSON');
      return;
    }
    this.#subscribed = true;
    const parsed = newBlock.safeParse(event);
    // The answer to `subscribe` has an empty result.
    if (!parsed.success) return;
    const { header, last_commit } = parsed.data.result.data.value.block;
    this.#committed(header.height, header.time);
    if (this.#ready && last_commit?.height === this.#view.countedTo + 1) this.#count(last_commit);
    else void this.#lookUp();
    this.#events.onChange();
  }

  async #poll(): Promise<void> {
    if (this.#stopped) return;
    const { rpc, clock } = this.#options;
    const before = this.#node;
    try {
      const status = await rpc.status();
      // Another process may have been started while this one's answer was under way.
      if (this.#node === before) {
        this.#node = { ...before, status, answeredAtMs: clock.monotonicMs(), silentSinceMs: undefined };
        const { latest_block_height, latest_block_time } = status.sync_info;
        this.#committed(latest_block_height, latest_block_time);
        void this.#lookUp();
        await this.#lookAround();
      }
    } catch (error) {
      if (this.#node === before && before.silentSinceMs === undefined) {
        this.#node = { ...before, silentSinceMs: clock.monotonicMs() };
        this.#options.log.debug({ reason: String(error) }, 'the node does not answer');
      }
    }
    this.#events.onChange();
    this.#after(this.#subscribed ? statusPeriodMs : statusPeriodPollingMs, () => void this.#poll());
  }

  /** What changes seldom. */
  async #lookAround(): Promise<void> {
    const { rpc, clock, log } = this.#options;
    const periodMs = this.#node.peers ? peersPeriodMs : statusPeriodMs;
    if (this.#node.peers !== undefined && clock.monotonicMs() - this.#peersAtMs < periodMs) return;
    this.#peersAtMs = clock.monotonicMs();
    try {
      const peers = await rpc.peers();
      const chainVersion = this.#node.chainVersion ?? (await rpc.chainVersion());
      this.#node = { ...this.#node, peers, chainVersion };
    } catch (error) {
      log.debug({ reason: String(error) }, 'the node does not tell its peers or version');
    }
  }

  #committed(height: number, blockTimeMs: number): void {
    if (height <= 0 || height === this.#view.height) return;
    const live = this.#node.status?.sync_info.catching_up === false;
    const { clock } = this.#options;
    const now = { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() };
    this.#view = committed(this.#view, { height, blockTimeMs }, live, now);
    this.#events.onCommit(height);
  }

  /** Whose signatures to count is known; until then nothing is passed over. */
  get #ready(): boolean {
    return this.#node.status !== undefined && this.#options.address() !== undefined;
  }

  /** Our validator is one of those whose signatures a commit needs. */
  get #inSet(): boolean {
    const info = this.#node.status?.validator_info;
    return (
      info !== undefined && info.voting_power > 0 && info.address.toUpperCase() === this.#options.address()
    );
  }

  #count(found: Commit): void {
    const address = this.#options.address();
    if (!this.#inSet) {
      this.#view = { ...this.#view, countedTo: found.height };
      return;
    }
    const signed = (found.signatures ?? []).some(
      ({ validator_address, block_id_flag }) =>
        block_id_flag === 2 && validator_address.toUpperCase() === address,
    );
    this.#view = counted(this.#view, found.height, signed);
  }

  /** Counts every height whose commit is final and that no event brought. */
  async #lookUp(): Promise<void> {
    if (this.#lookingUp || this.#stopped || !this.#ready) return;
    this.#lookingUp = true;
    try {
      const latest = this.#view.height - 1;
      const { countedTo, height: head } = this.#view;
      // Nothing kept, another chain, or not a validator's node: counting starts here.
      const from = countedTo === 0 || countedTo > head || !this.#inSet ? latest + 1 : countedTo + 1;
      const first = Math.max(1, from, latest - lookUpHeightsMax + 1);
      if (first - 1 !== countedTo) this.#view = { ...this.#view, countedTo: first - 1 };
      for (let height = first; height <= latest && !this.#stopped; height += 1) {
        if (height <= this.#view.countedTo) continue;
        const found = await this.#options.rpc.finalCommit(height);
        if (!found) break;
        if (height === this.#view.countedTo + 1) this.#count(found);
      }
    } catch (error) {
      this.#options.log.debug({ reason: String(error) }, 'a commit could not be looked up');
    } finally {
      this.#lookingUp = false;
    }
  }
}
