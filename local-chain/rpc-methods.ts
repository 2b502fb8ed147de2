/** The RPC's methods, in the shapes of CometBFT 0.38. */

import * as z from 'zod';
import { commitOf, voteHolds } from './block.ts';
import { type CommitJson, evidenceJson, zeroTime } from './chain-json.ts';
import type { Genesis } from './genesis.ts';
import { addressOf, type KeyPair, nodeIdOf, publicKeyText } from './keys.ts';
import type { DecidedBlock, NetworkFolder } from './network-folder.ts';
import type { NodeChain } from './node-chain.ts';
import type { PeerHello } from './peer-messages.ts';
import type { PeerSet } from './peer-set.ts';
import { isTombstoned, proposerAt, validatorsAt } from './validators.ts';
import { standInVersion } from './version.ts';

export interface RpcSources {
  genesis: Genesis;
  network: NetworkFolder;
  chain: NodeChain;
  peers: PeerSet;
  nodeKey: KeyPair;
  /** Of the signer, or of the key file in the home. */
  validatorKey(): Uint8Array;
  moniker: string;
  p2pListen: string;
  rpcListen: string;
  indexer: string;
}

/** An answer of CometBFT's kind: code, message, data. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: number;
  readonly data: string;
  constructor(code: number, message: string, data: string) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export type RpcParameters = Readonly<Record<string, unknown>>;
export type RpcMethod = (parameters: RpcParameters) => unknown;

const internal = (data: string) => new RpcError(-32603, 'Internal error', data);
const heightParameter = z.union([
  z.number().int(),
  z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number),
]);

/** A double sign's slashing: what the Cosmos Hub takes of the stake. */
const slashedShare = '0.050000000000000000';

export function rpcMethods(sources: RpcSources): Record<string, RpcMethod> {
  const { genesis, network, chain, peers } = sources;

  function heightOf({ height }: RpcParameters): number {
    if (height === undefined || height === null || height === '') return chain.height;
    const parsed = heightParameter.safeParse(height);
    if (!parsed.success)
      throw new RpcError(-32602, 'Invalid params', `height: ${JSON.stringify(height)} is no height`);
    if (parsed.data <= 0) throw internal(`height must be greater than 0, but got ${parsed.data}`);
    if (parsed.data > chain.height) {
      throw internal(
        `height ${parsed.data} must be less than or equal to the current blockchain height ${chain.height}`,
      );
    }
    return parsed.data;
  }

  function blockAt(height: number): DecidedBlock {
    const block = height > 0 ? network.block(height) : undefined;
    if (block) return block;
    throw internal(`height ${height} is not available, lowest height is ${network.earliest()}`);
  }

  function commitAt(height: number): { commit: CommitJson; canonical: boolean } {
    if (height < chain.height) return { commit: blockAt(height + 1).block.last_commit, canonical: true };
    const decided = blockAt(height);
    const ours = network.votes(height, decided.round, 2);
    return { commit: commitOf(genesis, decided, ours), canonical: false };
  }

  return {
    health: () => ({}),
    status: () => statusOf(sources),
    net_info: () => ({
      listening: true,
      listeners: [`Listener(@${sources.p2pListen})`],
      n_peers: String(peers.peers.length),
      peers: peers.peers.map((peer) => ({
        node_info: peer.hello && nodeInfo(peer.id, peer.hello, 'on'),
        is_outbound: peer.outbound,
        connection_status: { Duration: '0', SendMonitor: {}, RecvMonitor: {}, Channels: [] },
        remote_ip: peer.remoteAddress.replace(/^::ffff:/, ''),
      })),
    }),
    genesis: () => ({ genesis: genesis.document }),
    consensus_params: (parameters) => ({
      block_height: String(heightOf(parameters)),
      consensus_params: genesis.consensusParams,
    }),
    abci_info: () => ({
      response: {
        data: 'stand-in',
        version: standInVersion,
        last_block_height: String(chain.height),
        last_block_app_hash: chain.height > 0 ? blockAt(chain.height).block.header.app_hash : '',
      },
    }),
    block: (parameters) => {
      const { blockId, block } = blockAt(heightOf(parameters));
      return { block_id: blockId, block };
    },
    header: (parameters) => ({ header: blockAt(heightOf(parameters)).block.header }),
    commit: (parameters) => {
      const height = heightOf(parameters);
      const { header } = blockAt(height).block;
      return {
        signed_header: { header, commit: commitAt(height).commit },
        canonical: commitAt(height).canonical,
      };
    },
    validators: (parameters) => {
      const height = heightOf(parameters);
      const state = height > 0 ? network.block(height)?.state : undefined;
      const validators = validatorsAt(genesis, state, height);
      return {
        block_height: String(height),
        validators: validators.map(({ address, publicKey, power }) => ({
          address,
          pub_key: publicKeyText(publicKey),
          voting_power: String(power),
          proposer_priority: proposerAt(validators, height + 1, 0).address === address ? String(power) : '0',
        })),
        count: String(validators.length),
        total: String(validators.length),
      };
    },
    block_results: (parameters) => {
      const height = heightOf(parameters);
      const decided = blockAt(height);
      return {
        height: String(height),
        txs_results: null,
        finalize_block_events: slashEvents(decided),
        validator_updates: validatorUpdates(genesis, decided),
        consensus_param_updates: null,
        app_hash: decided.block.header.app_hash,
      };
    },
    broadcast_evidence: ({ evidence }) => {
      const parsed = evidenceJson.safeParse(typeof evidence === 'string' ? JSON.parse(evidence) : evidence);
      if (!parsed.success)
        throw new RpcError(-32602, 'Invalid params', 'evidence: no tendermint/DuplicateVoteEvidence');
      const { vote_a, vote_b } = parsed.data.value;
      const validator = genesis.validators.find(({ address }) => address === vote_a.validator_address);
      const position = ({ height, round, type, validator_address }: typeof vote_a) =>
        `${height}/${round}/${type}/${validator_address}`;
      const holds =
        validator !== undefined &&
        !genesis.others.has(validator.address) &&
        position(vote_a) === position(vote_b) &&
        vote_a.block_id.hash !== vote_b.block_id.hash &&
        [vote_a, vote_b].every((vote) => voteHolds(genesis.chainId, validator.publicKey, vote));
      if (!holds) throw internal('evidence was not added: the two votes are no double sign of our validator');
      network.addEvidence(parsed.data);
      return { hash: vote_a.block_id.hash };
    },
  };
}

function nodeInfo(
  id: string,
  { chainId, moniker, listen, rpc }: Pick<PeerHello, 'chainId' | 'moniker' | 'listen' | 'rpc'>,
  txIndex: string,
) {
  return {
    protocol_version: { p2p: '8', block: '11', app: '0' },
    id,
    listen_addr: listen,
    network: chainId,
    version: standInVersion,
    channels: '',
    moniker,
    other: { tx_index: txIndex, rpc_address: rpc },
  };
}

function statusOf(sources: RpcSources) {
  const { genesis, network, chain, nodeKey, moniker, p2pListen, rpcListen, indexer } = sources;
  const latest = chain.height > 0 ? network.block(chain.height) : undefined;
  const earliestHeight = latest ? network.earliest() : 0;
  const earliest = earliestHeight > 0 ? network.block(earliestHeight) : undefined;
  const key = sources.validatorKey();
  const address = addressOf(key);
  const validator = validatorsAt(genesis, latest?.state, chain.height + 1).find(
    (one) => one.address === address,
  );
  return {
    node_info: nodeInfo(
      nodeIdOf(nodeKey.publicKey),
      { chainId: genesis.chainId, moniker, listen: p2pListen, rpc: rpcListen },
      indexer === 'null' ? 'off' : 'on',
    ),
    sync_info: {
      latest_block_hash: latest?.blockId.hash ?? '',
      latest_app_hash: latest?.block.header.app_hash ?? '',
      latest_block_height: String(chain.height),
      latest_block_time: latest?.block.header.time ?? zeroTime,
      earliest_block_hash: earliest?.blockId.hash ?? '',
      earliest_app_hash: earliest?.block.header.app_hash ?? '',
      earliest_block_height: String(earliestHeight),
      earliest_block_time: earliest?.block.header.time ?? zeroTime,
      catching_up: chain.catchingUp,
    },
    validator_info: {
      address,
      pub_key: publicKeyText(key),
      voting_power: String(validator?.power ?? 0),
    },
  };
}

/** The slashing module's events at a block with evidence; later evidence against a tombstoned validator has none. */
function slashEvents({ height, block, state }: DecidedBlock) {
  const address = block.evidence.evidence[0]?.value.vote_a.validator_address;
  if (!address || state.tombstonedAt !== height) return [];
  const attribute = (key: string, value: string) => ({ key, value, index: true });
  return [
    {
      type: 'slash',
      attributes: [
        attribute('address', address),
        attribute('power', block.evidence.evidence[0]?.value.ValidatorPower ?? '0'),
        attribute('reason', 'double_sign'),
        attribute('slash_fraction', slashedShare),
        attribute('jailed', address),
        attribute('tombstoned', 'true'),
        attribute('mode', 'BeginBlock'),
      ],
    },
  ];
}

function validatorUpdates(genesis: Genesis, { height, state }: DecidedBlock) {
  if (state.tombstonedAt !== height || isTombstoned(state, height)) return null;
  return genesis.validators
    .filter(({ address }) => !genesis.others.has(address))
    .map(({ publicKey }) => ({ pub_key: publicKeyText(publicKey), power: '0' }));
}
