/** One stand-in node: puts together what `start` runs. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Consensus } from './consensus.ts';
import { emptyValidatorState, FileSigner } from './file-signer.ts';
import { type Genesis, parseGenesis } from './genesis.ts';
import {
  addressOf,
  type KeyPair,
  newKeyPair,
  nodeIdOf,
  nodeKeyFile,
  nodeKeyText,
  validatorKeyFile,
  validatorKeyText,
} from './keys.ts';
import type { Log } from './log.ts';
import { NetworkFolder } from './network-folder.ts';
import { timingOf } from './network-plan.ts';
import { NodeChain, nodeStateFile } from './node-chain.ts';
import type { NodeConfig } from './node-config.ts';
import type { NodeSigner } from './node-signer.ts';
import { runOthers } from './others.ts';
import { PeerSet } from './peer-set.ts';
import { PrivvalEndpoint } from './privval-endpoint.ts';
import { rpcMethods } from './rpc-methods.ts';
import { RpcServer } from './rpc-server.ts';
import type { ListenAddress } from './setting-values.ts';
import { standInSentence, standInVersion } from './version.ts';

/** gaiad asks its signer this often for the key, before it does anything else. */
const publicKeyRequestsAtStart = 4;

/** The node can't start, or can't go on: the process ends with code 1. */
export class NodeError extends Error {
  override readonly name = 'NodeError';
}

function readJson<T>(path: string, what: string, parse: (value: unknown) => T): T {
  try {
    return parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NodeError(`${path}: this is no ${what} of a stand-in chain: ${reason}`, { cause: error });
  }
}

/** As gaiad: a home without its own keys gets new ones. */
function ensureFile(path: string, text: () => string): void {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text(), { mode: 0o600 });
}

const addressText = (address: ListenAddress | undefined): string =>
  address === undefined
    ? ''
    : address.kind === 'tcp'
      ? `tcp://${address.host || '0.0.0.0'}:${address.port}`
      : `unix://${address.path}`;

export class StandInNode {
  readonly #home: string;
  readonly #config: NodeConfig;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #ending = new AbortController();
  #rpc: RpcServer | undefined;
  #network: NetworkFolder | undefined;

  constructor(options: { home: string; config: NodeConfig; log: Log; now: () => number }) {
    this.#home = options.home;
    this.#config = options.config;
    this.#log = options.log;
    this.#now = options.now;
  }

  /**
   * Serves and listens when it resolves. The chain then goes on until `stop`.
   * @param failed called where the node can't go on
   * @throws NodeError, or a system error where an address is taken
   */
  async start(failed: (error: unknown) => void): Promise<void> {
    const config = this.#config;
    const { signal } = this.#ending;
    const log = this.#log;
    log.info(`this is ${standInSentence}`, { version: standInVersion, home: this.#home });
    const genesis = readJson(config.genesisFile, 'genesis', parseGenesis);
    ensureFile(config.nodeKeyFile, () => nodeKeyText(newKeyPair()));
    ensureFile(config.validatorKeyFile, () => validatorKeyText(newKeyPair()));
    ensureFile(config.validatorStateFile, () => emptyValidatorState);
    const nodeKey = readJson(config.nodeKeyFile, 'node key', (value) => nodeKeyFile.parse(value));
    const { signer, publicKey } = await this.#signer(genesis);

    if (!existsSync(genesis.network)) {
      throw new NodeError(
        `${genesis.network}: the folder that plays this chain's network is gone (genesis.json: ` +
          'app_state.stand_in.network); put it back, or make the chain anew',
      );
    }
    const network = new NetworkFolder(genesis.network);
    network.start();
    this.#network = network;
    const statePath = join(this.#home, 'data/stand_in_state.json');
    const state = existsSync(statePath)
      ? readJson(statePath, 'node state', (value) => nodeStateFile.parse(value))
      : undefined;
    mkdirSync(dirname(statePath), { recursive: true });
    const chain = new NodeChain({ statePath, height: state?.height ?? 0 });
    const peers = this.#peers(genesis, nodeKey, network);
    await peers.start();
    const rpc = new RpcServer({
      chain,
      connectionsMax: config.rpcConnectionsMax,
      methods: rpcMethods({
        genesis,
        network,
        chain,
        peers,
        nodeKey,
        validatorKey: () => publicKey,
        moniker: config.moniker,
        p2pListen: addressText(config.p2p),
        rpcListen: addressText(config.rpc),
        indexer: config.indexer,
      }),
    });
    this.#rpc = rpc;
    if (config.rpc) await rpc.start(config.rpc);
    log.info('started', {
      nodeId: nodeIdOf(nodeKey.publicKey),
      rpc: addressText(config.rpc),
      p2p: addressText(config.p2p),
    });

    const timing = timingOf(genesis.blockMs);
    const now = this.#now;
    const reachable = () => peers.reachable;
    runOthers({ genesis, network, timing, reachable, now, signal }).catch(failed);
    chain.news.on('block', (block) => {
      const signed = block.block.last_commit.signatures.filter(
        ({ block_id_flag }) => block_id_flag === 2,
      ).length;
      log.info('committed block', {
        height: block.height,
        round: block.round,
        hash: block.blockId.hash,
        signed,
      });
      if (config.haltHeight > 0 && block.height >= config.haltHeight) {
        failed(new NodeError(`halt-height ${config.haltHeight} of app.toml is reached`));
      }
    });
    const follow = async () => {
      await chain.catchUp(network, reachable, signal);
      if (signer) this.#checkDoubleSign(chain.height, network, publicKey);
      const consensus = new Consensus({
        genesis,
        network,
        timing,
        chain,
        signer,
        publicKey,
        reachable,
        now,
        log,
        signal,
      });
      // As CometBFT: process and RPC stay, the height stands.
      await consensus
        .run()
        .catch((error: Error) => log.error('CONSENSUS FAILURE!!!', { err: error.message }));
    };
    follow().catch(failed);
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    this.#network?.stop();
    await this.#rpc?.stop();
  }

  async #signer(genesis: Genesis): Promise<{ signer: NodeSigner | undefined; publicKey: Uint8Array }> {
    const { signerSocket, validatorKeyFile: keyPath, validatorStateFile } = this.#config;
    if (signerSocket === undefined) {
      const key = readJson(keyPath, 'validator key', (value) => validatorKeyFile.parse(value));
      const ours = genesis.validators.some(({ address }) => address === addressOf(key.publicKey));
      const signer = ours
        ? new FileSigner({ key, statePath: validatorStateFile, chainId: genesis.chainId })
        : undefined;
      if (ours)
        this.#log.info('signing with the key file in this home', { address: addressOf(key.publicKey) });
      return { signer, publicKey: key.publicKey };
    }
    const endpoint = new PrivvalEndpoint({
      path: signerSocket,
      chainId: genesis.chainId,
      log: this.#log,
      signal: this.#ending.signal,
    });
    try {
      await endpoint.listen();
    } catch (error) {
      const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      const reason = taken
        ? 'bind: address already in use'
        : error instanceof Error
          ? error.message
          : String(error);
      throw new NodeError(
        `error with private validator socket client: failed to start private validator: listen unix ${signerSocket}: ${reason}`,
        { cause: error },
      );
    }
    let publicKey = await endpoint.firstPublicKey();
    for (let asked = 1; asked < publicKeyRequestsAtStart; asked++) publicKey = await endpoint.publicKey();
    return { signer: endpoint, publicKey };
  }

  #peers(genesis: Genesis, key: KeyPair, network: NetworkFolder): PeerSet {
    const { moniker, p2p, rpc, persistentPeers, seeds, pex, inboundPeersMax, unconditionalPeers } =
      this.#config;
    if (p2p?.kind === 'unix') throw new NodeError('config.toml: p2p.laddr: peers need a tcp:// address');
    return new PeerSet({
      key,
      self: { chainId: genesis.chainId, moniker, listen: addressText(p2p), rpc: addressText(rpc) },
      listen: p2p,
      dial: [...persistentPeers, ...seeds],
      pex,
      inboundMax: inboundPeersMax,
      unconditional: unconditionalPeers,
      log: this.#log,
      signal: this.#ending.signal,
      now: this.#now,
      onReachable: (reachable) => {
        if (!reachable) this.#log.error('no peer has a way to the chain: this node sees no new block');
        network.wake();
      },
    });
  }

  /** CometBFT's `double_sign_check_height`: our own signature in one of the last blocks keeps the node from starting. */
  #checkDoubleSign(height: number, network: NetworkFolder, publicKey: Uint8Array): void {
    const address = addressOf(publicKey);
    for (let back = 0; back < this.#config.doubleSignCheckHeight && height - back > 0; back++) {
      const signatures = network.block(height - back)?.block.last_commit.signatures ?? [];
      if (
        signatures.some(
          (signature) => signature.block_id_flag === 2 && signature.validator_address === address,
        )
      ) {
        throw new NodeError(
          'panic: failed to start consensus state: found signature from the same key ' +
            `(config.toml: consensus.double_sign_check_height, block ${height - back - 1})`,
        );
      }
    }
  }
}
