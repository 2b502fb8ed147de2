/**
 * The node's end of the remote signer connection: it listens on a unix socket, the signer dials. Times and retries
 * are CometBFT's (privval/signer_listener_endpoint.go, retry_signer_client.go).
 */

import { createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { encodeFrame, FrameDecoder } from '../signer/privval/frame.ts';
import type { Proposal, Vote } from '../signer/privval/gen/types_pb.ts';
import {
  type PrivvalResponse,
  parseResponse,
  pingRequest,
  pubKeyRequest,
  signProposalRequest,
  signVoteRequest,
} from '../signer/privval/messages.ts';
import type { Log } from './log.ts';
import { type NodeSigner, NotSignedError } from './node-signer.ts';

/** ms */
const cometTimes = { firstAccept: 3_500, accept: 3_000, answer: 5_000, pingAfter: 3_300 };
export type EndpointTimes = typeof cometTimes;
const triesMax = 50;
const retryPauseMs = 100;
const waitingSignersMax = 8;

/** No signer, or none that answers. */
export class EndpointError extends Error {
  override readonly name = 'EndpointError';
}

/** One signer's connection; at most one request is under way. */
class SignerConnection {
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();
  #answer: { resolve(response: PrivvalResponse): void; reject(error: Error): void } | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#received(chunk));
    this.closed = new Promise((resolve) =>
      socket.once('close', () => {
        this.#answer?.reject(new EndpointError('the signer closed the connection'));
        resolve();
      }),
    );
    socket.resume();
  }

  ask(message: Uint8Array, answerTimeoutMs: number): Promise<PrivvalResponse> {
    return new Promise<PrivvalResponse>((resolve, reject) => {
      const timer = setTimeout(
        () => this.#answer?.reject(new EndpointError('read: i/o timeout')),
        answerTimeoutMs,
      );
      const settle = () => {
        clearTimeout(timer);
        this.#answer = undefined;
      };
      this.#answer = {
        resolve: (response) => {
          settle();
          resolve(response);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      if (this.#socket.destroyed) this.#answer.reject(new EndpointError('the signer closed the connection'));
      else this.#socket.write(encodeFrame(message));
    });
  }

  drop(): void {
    this.#socket.destroy();
  }

  #received(chunk: Uint8Array): void {
    try {
      for (const message of this.#decoder.push(chunk)) {
        const response = parseResponse(message);
        if (!this.#answer) throw new EndpointError('the signer spoke without being asked');
        this.#answer.resolve(response);
      }
    } catch (error) {
      this.#answer?.reject(error instanceof Error ? error : new EndpointError(String(error)));
      this.drop();
    }
  }
}

export class PrivvalEndpoint implements NodeSigner {
  readonly #path: string;
  readonly #chainId: string;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #times: EndpointTimes;
  #connection: SignerConnection | undefined;
  /** Dialled while another signer is served: accepted by the system, not yet by the node. */
  readonly #waiting: Socket[] = [];
  #accepted: (() => void) | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #pingTimer: NodeJS.Timeout | undefined;

  constructor(options: {
    path: string;
    chainId: string;
    log: Log;
    signal: AbortSignal;
    times?: Partial<EndpointTimes>;
  }) {
    this.#path = options.path;
    this.#chainId = options.chainId;
    this.#log = options.log;
    this.#signal = options.signal;
    this.#times = { ...cometTimes, ...options.times };
  }

  /** @throws where the socket's file is there, be it stale: as gaiad, it is never removed here. */
  async listen(): Promise<void> {
    const server = createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#path, resolve);
    });
    // The process ends without closing the server: like gaiad's, the socket's file stays behind.
    server.unref();
  }

  /** The first connection at start, within gaiad's patience. */
  async firstPublicKey(): Promise<Uint8Array> {
    try {
      return await this.#publicKey(this.#times.firstAccept);
    } catch (error) {
      const reason = error instanceof EndpointError ? `send: ${error.message}` : messageOf(error);
      throw new EndpointError(`can't get pubkey: ${reason}`, { cause: error });
    }
  }

  publicKey(): Promise<Uint8Array> {
    return this.#publicKey(this.#times.accept);
  }

  async signVote(vote: Vote) {
    const answer = await this.#retry('vote', signVoteRequest(this.#chainId, vote), 'signVote');
    if (answer.kind !== 'signVote')
      throw new NotSignedError(`the signer answered a vote with ${answer.kind}`);
    return answer;
  }

  async signProposal(proposal: Proposal) {
    const answer = await this.#retry(
      'proposal',
      signProposalRequest(this.#chainId, proposal),
      'signProposal',
    );
    if (answer.kind !== 'signProposal') {
      throw new NotSignedError(`the signer answered a proposal with ${answer.kind}`);
    }
    return answer;
  }

  async #publicKey(timeoutMs: number): Promise<Uint8Array> {
    const answer = await this.#ask(pubKeyRequest(this.#chainId), timeoutMs);
    if (answer.kind === 'pubKey') return answer.publicKey;
    throw new NotSignedError(answer.kind === 'error' ? answer.description : `answered with ${answer.kind}`);
  }

  /** A refusal is final; a connection that fails is tried again, with the same request. */
  async #retry(what: string, message: Uint8Array, kind: PrivvalResponse['kind']): Promise<PrivvalResponse> {
    let failure: unknown;
    for (let tried = 0; tried < triesMax && !this.#signal.aborted; tried++) {
      try {
        const answer = await this.#ask(message, this.#times.accept);
        if (answer.kind === 'error') {
          throw new NotSignedError(`signerEndpoint returned error #${answer.code}: ${answer.description}`);
        }
        if (answer.kind === kind) return answer;
        throw new EndpointError(`the signer answered a ${what} with ${answer.kind}`);
      } catch (error) {
        if (error instanceof NotSignedError) throw error;
        failure = error;
        this.#log.debug('asking the signer failed; trying again', {
          what,
          tried: tried + 1,
          error: messageOf(error),
        });
        await delay(retryPauseMs, undefined, { signal: this.#signal }).catch(() => undefined);
      }
    }
    throw new NotSignedError(`exhausted all attempts to sign ${what}: ${messageOf(failure)}`, {
      cause: failure,
    });
  }

  /** One request after the other, on whatever signer is connected then. */
  #ask(message: Uint8Array, timeoutMs: number): Promise<PrivvalResponse> {
    const answer = this.#queue.then(async () => {
      clearTimeout(this.#pingTimer);
      const connection = await this.#connected(timeoutMs);
      try {
        return await connection.ask(message, this.#times.answer);
      } catch (error) {
        connection.drop();
        await connection.closed;
        throw error;
      } finally {
        this.#pingLater();
      }
    });
    this.#queue = answer.catch(() => undefined);
    return answer;
  }

  #pingLater(): void {
    clearTimeout(this.#pingTimer);
    this.#pingTimer = setTimeout(() => {
      if (this.#connection)
        this.#ask(pingRequest(), this.#times.accept).catch(() => this.#log.error('no pong'));
    }, this.#times.pingAfter).unref();
  }

  async #connected(timeoutMs: number): Promise<SignerConnection> {
    if (this.#connection) return this.#connection;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#accepted = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#accepted = undefined;
    if (!this.#connection) throw new EndpointError('endpoint connection timed out');
    return this.#connection;
  }

  #accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#connection) {
      if (this.#waiting.length >= waitingSignersMax) socket.destroy();
      else this.#waiting.push(socket);
      return;
    }
    const connection = new SignerConnection(socket);
    this.#connection = connection;
    this.#log.info('a signer connected');
    this.#accepted?.();
    this.#pingLater();
    connection.closed.then(() => {
      this.#connection = undefined;
      this.#log.error('the signer is gone');
      const next = this.#waiting.shift();
      if (next) this.#accept(next);
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
