/** A signer for tests of the stand-in chain: dials the node's socket, and signs what `decide` lets it, without any guard. */

import { connect, type Socket } from 'node:net';
import { keyPairFromSeed, signWith } from '../local-chain/keys.ts';
import { encodeFrame, FrameDecoder } from '../signer/privval/frame.ts';
import {
  errorResponse,
  type PrivvalRequest,
  parseRequest,
  pingResponse,
  pubKeyResponse,
  signedProposalResponse,
  signedVoteResponse,
} from '../signer/privval/messages.ts';
import { proposalSignBytes, voteSignBytes } from '../signer/privval/sign-bytes.ts';

const redialMs = 50;

/** 'sign', a refusal in words, or 'hang' for no answer at all. */
export type Decision = 'sign' | 'hang' | { refuse: string };

export class TestSigner {
  readonly #key: ReturnType<typeof keyPairFromSeed>;
  readonly #path: string;
  readonly #chainId: string;
  readonly #decide: (request: PrivvalRequest) => Decision;
  #socket: Socket | undefined;
  #stopped = false;
  /** Everything asked, in order: `pubKey`, `ping`, `<height>/<round>/<type>` of a vote (`nil` behind it), of a proposal. */
  readonly asked: string[] = [];

  constructor(options: {
    seed: Uint8Array;
    path: string;
    chainId: string;
    decide?: (request: PrivvalRequest) => Decision;
  }) {
    this.#key = keyPairFromSeed(options.seed);
    this.#path = options.path;
    this.#chainId = options.chainId;
    this.#decide = options.decide ?? (() => 'sign');
  }

  start(): this {
    const dial = () => {
      if (this.#stopped) return;
      const socket = connect(this.#path);
      const decoder = new FrameDecoder();
      this.#socket = socket;
      socket.on('data', (chunk) => {
        for (const message of decoder.push(chunk)) {
          const answer = this.#answer(parseRequest(message));
          if (answer) socket.write(encodeFrame(answer));
        }
      });
      socket.on('error', () => socket.destroy());
      socket.on('close', () => setTimeout(dial, redialMs).unref());
    };
    dial();
    return this;
  }

  stop(): void {
    this.#stopped = true;
    this.#socket?.destroy();
  }

  #answer(request: PrivvalRequest): Uint8Array | undefined {
    if (request.kind === 'pubKey') {
      this.asked.push('pubKey');
      return pubKeyResponse(this.#key.publicKey);
    }
    if (request.kind === 'ping') {
      this.asked.push('ping');
      return pingResponse();
    }
    if (request.kind !== 'signVote' && request.kind !== 'signProposal')
      return errorResponse('signBytes', 'never');
    const signed = request.kind === 'signVote' ? request.vote : request.proposal;
    const nil = request.kind === 'signVote' && !request.vote.blockId?.hash.length ? ' nil' : '';
    this.asked.push(`${signed.height}/${signed.round}/${signed.type}${nil}`);
    const decision = this.#decide(request);
    if (decision === 'hang') return undefined;
    if (decision !== 'sign') return errorResponse(request.kind, decision.refuse);
    const { timestamp } = signed;
    if (request.kind === 'signVote') {
      const signature = signWith(this.#key, voteSignBytes(this.#chainId, request.vote));
      return signedVoteResponse({ timestamp, signature });
    }
    const signature = signWith(this.#key, proposalSignBytes(this.#chainId, request.proposal));
    return signedProposalResponse({ timestamp, signature });
  }
}
