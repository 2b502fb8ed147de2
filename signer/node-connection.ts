/**
 * The connection to gaiad: the node listens on `priv_validator_laddr`, the signer dials, at once and for ever. An answer
 * goes to the connection that asked, and to no other.
 */

import { randomInt } from 'node:crypto';
import type { Log } from './core/ports.ts';
import type { NodeAddress } from './home.ts';
import { type LineEnd, NodeLine, type NodeLineParts } from './node-line.ts';
import type { PrivvalRequest } from './privval/messages.ts';
import { nodeId } from './secret-connection/node-identity.ts';
import { type ConnectionKey, SecretChannelError } from './secret-connection/secret-channel.ts';

/** The node waits 3 s for its signer at its start, once. */
export const dialAgainMsMin = 25;
/** While there is no socket file: a node makes it as it starts. */
export const dialAgainMsMax = 100;
/** Where nobody listens, what answers is no node or not ours, or a node closes before it got an answer. */
export const failedAgainMsMax = 1000;

export interface NodeConnectionParts {
  node: NodeAddress;
  /** With a node by TCP. */
  key?: ConnectionKey | undefined;
  answer: (request: PrivvalRequest) => Promise<Uint8Array>;
  onChange: (connected: boolean) => void;
  log: Log;
  times?: NodeLineParts['times'];
  meter?: NodeLineParts['meter'];
}

/** How long until the next dial, before chance is added. @param beforeMs the last one; 0: the first after one that served */
export function dialAgainMs(beforeMs: number, { served, wasOpen, error }: LineEnd): number {
  // A connection that was of use is dialled again at once: a node that dropped it listens already.
  if (served) return 0;
  const boundMs = error?.code === 'ENOENT' && !wasOpen ? dialAgainMsMax : failedAgainMsMax;
  return Math.min(boundMs, Math.max(dialAgainMsMin, beforeMs * 2));
}

export class NodeConnection {
  readonly #parts: NodeConnectionParts;
  readonly #where: string;
  #line: NodeLine | undefined;
  #timer: NodeJS.Timeout | undefined;
  #againMs = 0;
  /** Why the last dial failed, so that each reason is logged once. */
  #failure: string | undefined;
  #stopped = false;

  constructor(parts: NodeConnectionParts) {
    this.#parts = parts;
    const { node } = parts;
    this.#where = node.kind === 'unix' ? node.path : `tcp://${node.host}:${node.port}`;
  }

  start(): void {
    const { node, key, log } = this.#parts;
    if (node.kind === 'tcp') {
      log.info(
        { node: this.#where, ourKey: key && Buffer.from(key.publicKey).toString('base64') },
        'the node is dialled by TCP, through a SecretConnection',
      );
      if (node.pinned === undefined) {
        log.warn(
          { node: this.#where },
          'the key of the node is not pinned ([signer] node_key): whoever answers there, or stands between, may ask this signer for signatures. They learn no secret and get no two signatures for one position, but may use positions up, so that blocks are missed; keep that way to yourself (firewall, WireGuard)',
        );
      }
    }
    this.#dial();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#line?.close();
  }

  #dial(): void {
    const { node, key, answer, onChange, log, times, meter } = this.#parts;
    this.#line = new NodeLine({
      address: node,
      key,
      answer,
      ...(times ? { times } : {}),
      meter,
      onOpen: (peer) => {
        this.#failure = undefined;
        const who = peer && { nodeKey: Buffer.from(peer).toString('base64'), nodeId: nodeId(peer) };
        log.info({ node: this.#where, ...who }, 'connected to the node');
        onChange(true);
      },
      onClosed: (end) => this.#closed(end),
    });
  }

  #closed(end: LineEnd): void {
    const { onChange, log } = this.#parts;
    // A signer that ends on purpose is started again at once: that is no reason to yield.
    if (this.#stopped) return;
    const { wasOpen, error } = end;
    this.#againMs = dialAgainMs(this.#againMs, end);
    const againMs = this.#againMs;
    if (wasOpen) {
      const fault = error && { fault: error.message };
      log.warn({ node: this.#where, againMs, ...fault }, 'the connection to the node closed; dialling again');
      onChange(false);
    } else {
      const failure = error?.code ?? error?.message ?? 'it was closed';
      // Nobody there is what a start looks like; somebody else there wants a person.
      const level = error instanceof SecretChannelError ? 'warn' : 'info';
      if (failure !== this.#failure)
        log[level]({ node: this.#where, failure }, 'the node can not be dialled yet');
      this.#failure = failure;
    }
    // Half of it by chance: signers that lost their nodes together do not come back in step.
    const delayMs = againMs - (againMs > 1 ? randomInt(Math.ceil(againMs / 2)) : 0);
    this.#timer = setTimeout(() => this.#dial(), delayMs);
  }
}
