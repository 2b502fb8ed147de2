/** Answers a node: each request within its time, an error where there is no signature to give. */

import { createHash } from 'node:crypto';
import type { SignerStatus } from '../../protocol/signer-control.ts';
import {
  errorResponse,
  type PrivvalRequest,
  pingResponse,
  pubKeyResponse,
  signedProposalResponse,
  signedVoteResponse,
} from '../privval/messages.ts';
import { Refusal } from '../refusal.ts';
import { checkIdentity } from './checks.ts';
import type { Guard } from './guard.ts';
import type { Meter } from './meter.ts';
import type { NodeWatch } from './node-watch.ts';
import type { Clock, Log } from './ports.ts';
import type { Signed } from './release.ts';
import { proposalRequest, type SignRequest, voteRequest } from './request.ts';
import { within } from './within.ts';

/** The node drops a signer after 5 s; an answer within 2.5 s leaves it time to go on. The rest is the event loop's. */
export const answerMsMax = 2400;

/** CometBFT's validator address: the first 20 bytes of SHA-256 of the Ed25519 key, upper-case hex. */
export function consensusAddress(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex').slice(0, 40).toUpperCase();
}

export interface ServiceParts {
  publicKey: Uint8Array;
  chainId: string;
  /** The one in force: enrolment changes it while the process runs. */
  guard: () => Guard;
  watch: NodeWatch;
  clock: Clock;
  log: Log;
  meter?: Meter | undefined;
}

export class SigningService {
  readonly #parts: ServiceParts;
  readonly #address: string;
  #signed = 0;
  #refused = 0;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.#address = consensusAddress(parts.publicKey);
  }

  /** Never rejects, and resolves within `answerMsMax`. */
  async answer(request: PrivvalRequest): Promise<Uint8Array> {
    const { publicKey, chainId, clock, watch } = this.#parts;
    switch (request.kind) {
      case 'ping':
        return pingResponse();
      case 'pubKey':
        watch.asked(clock.now());
        if (request.chainId !== '' && request.chainId !== chainId) {
          return errorResponse(
            'pubKey',
            `this signer signs for chain ${chainId} alone, the node is on ${request.chainId}; correct [signer] chain_id or the node`,
          );
        }
        return pubKeyResponse(publicKey);
      case 'signBytes':
        this.#refused += 1;
        this.#parts.meter?.refused('sign-bytes');
        return errorResponse('signBytes', 'arbitrary bytes are never signed: nothing guards them');
      case 'invalid':
        return this.#refusal(request.request, new Refusal('invalid-request', request.fault));
      case 'signVote':
      case 'signProposal':
        return await this.#sign(request);
    }
  }

  counts(): Pick<SignerStatus, 'address' | 'chainId' | 'signed' | 'refused'> {
    return {
      address: this.#address,
      chainId: this.#parts.chainId,
      signed: this.#signed,
      refused: this.#refused,
    };
  }

  async #sign(message: Extract<PrivvalRequest, { kind: 'signVote' | 'signProposal' }>): Promise<Uint8Array> {
    const { clock, watch } = this.#parts;
    watch.asked(clock.now());
    try {
      const request =
        message.kind === 'signVote'
          ? voteRequest(message.chainId, message.vote, message.skipExtensionSigning)
          : proposalRequest(message.chainId, message.proposal);
      const late = () =>
        new Refusal('too-late', 'no certainty within the time of this request; the node asks again', {
          asked: request.position,
        });
      const signed = await within(
        (ms, signal) => clock.sleep(ms, signal),
        answerMsMax,
        this.#guarded(request),
        late,
      );
      this.#signed += 1;
      this.#parts.meter?.signed(request.kind);
      return message.kind === 'signVote' ? signedVoteResponse(signed) : signedProposalResponse(signed);
    } catch (error) {
      return this.#refusal(message.kind, error);
    }
  }

  async #guarded(request: SignRequest): Promise<Signed> {
    const { chainId, watch, clock } = this.#parts;
    const guard = this.#parts.guard();
    checkIdentity(request, chainId, this.#address);
    const beganMs = clock.now();
    // A node asks for a height once it has committed the one before.
    watch.committed(request.position.height - 1, beganMs);
    guard.committed(request.position.height - 1, 'request');
    return await guard.sign(request, beganMs + answerMsMax);
  }

  #refusal(to: 'signVote' | 'signProposal', error: unknown): Uint8Array {
    this.#refused += 1;
    const { log, meter } = this.#parts;
    meter?.refused(error instanceof Refusal ? error.code : 'failed');
    if (error instanceof Refusal) {
      const { code, asked, held, cause } = error;
      // A standby refuses every request of its node: that is its work.
      if (code === 'standby') log.debug({ code, asked }, error.message);
      else log.warn({ code, asked, held, ...(cause ? { err: cause } : {}) }, error.message);
      return errorResponse(to, `${code}: ${error.message}`);
    }
    log.error({ err: error }, 'a request failed');
    return errorResponse(to, 'the signer failed on this request; its log says why');
  }
}
