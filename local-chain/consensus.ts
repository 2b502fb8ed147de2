/**
 * This node's own consensus, one height after the other: propose when it is our turn, prevote, precommit, commit. It
 * waits for its signer at each step, so a slow or missing signer holds up this node, and this node alone.
 */

import { create } from '@bufbuild/protobuf';
import { type BlockID, ProposalSchema, VoteSchema } from '../signer/privval/gen/types_pb.ts';
import { proposalSignBytes } from '../signer/privval/sign-bytes.ts';
import { signedType } from '../signer/privval/signed-types.ts';
import { duplicateVoteEvidence, voteHolds } from './block.ts';
import {
  type BlockIdJson,
  blockIdMessage,
  msOfText,
  nilBlockId,
  timestampOfMs,
  timeText,
  type VoteJson,
} from './chain-json.ts';
import type { Genesis } from './genesis.ts';
import { addressOf, signatureHolds } from './keys.ts';
import type { Log } from './log.ts';
import type { NetworkFolder, RoundFile } from './network-folder.ts';
import type { NetworkTiming } from './network-plan.ts';
import type { NodeChain } from './node-chain.ts';
import type { NodeSigner } from './node-signer.ts';
import { heightStartMs, proposalOf } from './others.ts';
import { proposerAt, validatorsAt } from './validators.ts';

const lookMs = 500;
/** After a break, a node asks for nil votes at heights that were decided without it: so many of them, seen in the wild. */
const lateVoteHeightsMax = 5;

export interface ConsensusOptions {
  genesis: Genesis;
  network: NetworkFolder;
  timing: NetworkTiming;
  chain: NodeChain;
  signer: NodeSigner | undefined;
  /** Of the signer's key at start. */
  publicKey: Uint8Array | undefined;
  reachable(): boolean;
  now(): number;
  log: Log;
  signal: AbortSignal;
}

export class Consensus {
  readonly #options: ConsensusOptions;
  #publicKey: Uint8Array | undefined;
  #lateHeights = 0;

  constructor(options: ConsensusOptions) {
    this.#options = options;
    this.#publicKey = options.publicKey;
  }

  /** @throws where the node must stop voting (`CONSENSUS FAILURE!!!`). */
  async run(): Promise<void> {
    const { signal, chain } = this.#options;
    while (!signal.aborted) {
      const height = chain.height + 1;
      if (!(await this.#decidedWithoutUs(height))) await this.#decideWithOthers(height);
      if (signal.aborted) return;
      const decided = this.#options.network.block(height);
      if (!decided) continue;
      chain.commit(decided);
      await this.#refreshPublicKey();
    }
  }

  get #validator() {
    const { genesis, network, chain } = this.#options;
    const key = this.#publicKey;
    if (!key) return undefined;
    const last = chain.height > 0 ? network.block(chain.height) : undefined;
    const validators = validatorsAt(genesis, last?.state, chain.height + 1);
    const address = addressOf(key);
    const index = validators.findIndex((validator) => validator.address === address);
    return index < 0 ? undefined : { address, index, publicKey: key };
  }

  /** What the network holds, as far as this node has a way to it. */
  #seen<T>(read: (network: NetworkFolder) => T | undefined): T | undefined {
    return this.#options.reachable() ? read(this.#options.network) : undefined;
  }

  /** Once the next proposal is out, no precommit of ours can get into this height's commit. */
  #leftBehind(height: number): boolean {
    return this.#seen((network) => network.round(height + 1, 0) ?? network.block(height + 1)) !== undefined;
  }

  async #lateVotes(height: number, round: number): Promise<void> {
    if (this.#lateHeights >= lateVoteHeightsMax) return;
    this.#lateHeights++;
    await this.#vote(signedType.prevote, height, round, nilBlockId);
    await this.#vote(signedType.precommit, height, round, nilBlockId);
  }

  /** Heights that the chain left behind while this node was away. @returns false where `height` is still under way. */
  async #decidedWithoutUs(height: number): Promise<boolean> {
    await this.#until(() => this.#options.reachable());
    const decided = this.#seen((network) => network.block(height));
    if (!decided || !this.#leftBehind(height)) {
      this.#lateHeights = 0;
      return false;
    }
    await this.#lateVotes(height, decided.round);
    return true;
  }

  async #decideWithOthers(height: number): Promise<void> {
    const { genesis, network, timing, now, signal } = this.#options;
    const last = height > 1 ? network.block(height - 1) : undefined;
    const validators = validatorsAt(genesis, last?.state, height);
    const startAt = heightStartMs(genesis, timing, last);
    const decided = () => this.#seen(() => network.block(height)) !== undefined;
    await this.#until(
      () => decided() || now() >= startAt,
      () => startAt - now(),
    );
    for (let round = 0; !signal.aborted; round++) {
      const us = this.#validator;
      const proposer = proposerAt(validators, height, round).address;
      this.#options.chain.news.emit('round', { height, round, proposer });
      if (us && proposer === us.address && !decided()) {
        await this.#propose(height, round);
      }
      let outcome: RoundFile | undefined;
      await this.#until(() => {
        outcome = this.#seen(() => network.round(height, round));
        return outcome !== undefined || decided();
      });
      if (!outcome || signal.aborted) return;
      if (this.#leftBehind(height)) return this.#lateVotes(height, round);
      const blockId = 'proposedAt' in outcome ? outcome.blockId : nilBlockId;
      if (blockId !== nilBlockId) this.#options.chain.news.emit('proposal', { height, round, blockId });
      await this.#vote(signedType.prevote, height, round, blockId);
      await this.#vote(signedType.precommit, height, round, blockId);
      if ('failedAt' in outcome) continue;
      await this.#until(decided);
      return;
    }
  }

  async #propose(height: number, round: number): Promise<void> {
    const { genesis, network, signer, log, now } = this.#options;
    const us = this.#validator;
    // A restarted or late node finds the round's proposal already made.
    if (!signer || !us || network.round(height, round)) return;
    const last = height > 1 ? network.block(height - 1) : undefined;
    const made = proposalOf(genesis, network, height, last, us.address);
    const proposal = create(ProposalSchema, {
      type: signedType.proposal,
      height: BigInt(height),
      round,
      polRound: -1,
      blockId: blockIdMessage(made.blockId),
      timestamp: timestampOfMs(now()),
    });
    try {
      const { signature } = await signer.signProposal(proposal);
      if (!signatureHolds(us.publicKey, proposalSignBytes(genesis.chainId, proposal), signature)) {
        log.error('propose: the proposal has an invalid signature, and is dropped', { height, round });
        return;
      }
    } catch (error) {
      log.error('propose: failed signing proposal', { height, round, err: messageOf(error) });
      return;
    }
    if (this.#options.reachable() && network.writeRound(height, round, { proposedAt: now(), ...made })) {
      log.info('signed proposal', { height, round, hash: made.blockId.hash });
    }
  }

  async #vote(type: 1 | 2, height: number, round: number, blockId: BlockIdJson): Promise<void> {
    const { genesis, network, signer, log, now, signal } = this.#options;
    const us = this.#validator;
    if (!signer || !us || signal.aborted) return;
    const lastTime = network.block(height - 1)?.block.header.time;
    const timestamp = timestampOfMs(Math.max(now(), lastTime ? msOfText(lastTime) + 1 : 0));
    const block: BlockID = blockIdMessage(blockId);
    const request = create(VoteSchema, {
      type,
      height: BigInt(height),
      round,
      blockId: block,
      timestamp,
      validatorAddress: Buffer.from(us.address, 'hex'),
      validatorIndex: us.index,
    });
    let signed: Awaited<ReturnType<NodeSigner['signVote']>>;
    try {
      signed = await signer.signVote(request);
    } catch (error) {
      log.error('failed signing vote', { height, round, type, err: messageOf(error) });
      return;
    }
    // A signer extends every non-nil precommit; with extensions off that is not used (types/vote.go, SignAndCheckVote).
    if (signed.extensionSignature.length > 0 && (type !== signedType.precommit || blockId.hash === '')) {
      throw new Error(
        `vote extension signature present for vote ${height}/${round}/${type}, which is no non-nil precommit`,
      );
    }
    const vote: VoteJson = {
      type,
      height: String(height),
      round,
      block_id: blockId,
      timestamp: timeText(signed.timestamp),
      validator_address: us.address,
      validator_index: us.index,
      signature: Buffer.from(signed.signature).toString('base64'),
      extension: null,
      extension_signature: null,
    };
    if (!voteHolds(genesis.chainId, us.publicKey, vote)) {
      log.error('the vote has an invalid signature, and is not counted', { height, round, type });
      return;
    }
    // Without a way out the vote waits here, as it would wait for a peer.
    await this.#until(() => this.#options.reachable());
    network.addVote(vote);
    this.#options.chain.news.emit('vote', vote);
    const evidence = duplicateVoteEvidence(genesis, network.votes(height, round, type), now());
    if (evidence && network.addEvidence(evidence)) {
      log.error('two votes of our validator for different blocks', { height, round, type });
    }
  }

  async #refreshPublicKey(): Promise<void> {
    const { signer, log, signal } = this.#options;
    if (!signer || signal.aborted) return;
    try {
      this.#publicKey = await signer.publicKey();
    } catch (error) {
      log.error("can't get private validator pubkey", { err: messageOf(error) });
    }
  }

  async #until(condition: () => boolean, waitMs: () => number = () => lookMs): Promise<void> {
    const { network, signal } = this.#options;
    while (!signal.aborted && !condition()) {
      await network.changed(Math.max(1, Math.min(lookMs, waitMs())), signal);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
