/**
 * A chain for a fleet on one machine: made once, before the first start. Two makers: the stand-in (stand-in.ts)
 * and any Cosmos SDK chain's binary (sdk-chain.ts).
 */

/** A server of our fleet that runs the chain's node. Ports are on 127.0.0.1. */
export interface ChainNodeSpec {
  name: string;
  kind: 'validator' | 'sentry';
  p2pPort: number;
  rpcPort: number;
}

export interface MadeChain {
  /** 'stand-in', or the binary's name. */
  name: string;
  standIn: boolean;
  /** Command and leading arguments with which the pilot runs its `gaiad`; it adds `start --home D …` itself. */
  binary: string[];
  /** Behind `start --home D`. */
  startArguments: string[];
  chainId: string;
  /** Our validator's `priv_validator_key.json`, mode 0600, outside every home. */
  consensusKeyFile: string;
  /** By node's name: the home that is ready to start but for `priv_validator_laddr`, which the pilot sets. */
  homes: Record<string, { home: string; nodeId: string }>;
  /** The other validators, to be started as processes of their own beside the fleet. None for the stand-in. */
  others: OtherValidator[];
}

/** A validator that is not ours: it signs with a key file of its own, without Beam. */
export interface OtherValidator {
  name: string;
  command: string[];
  /** http://127.0.0.1:port */
  rpc: string;
  /** 127.0.0.1:port */
  p2p: string;
  nodeId: string;
}

export interface MakeChainOptions {
  /** An empty or missing folder; the chain's files stay in it. */
  out: string;
  chainId: string;
  /** The wanted time from block to block. A real chain comes near it, as its validators' votes take time too. */
  blockSeconds: number;
  /** Our fleet; all its validators share one consensus key. */
  nodes: ChainNodeSpec[];
  freePorts(count: number): Promise<number[]>;
}

export interface ChainMaker {
  make(options: MakeChainOptions): Promise<MadeChain>;
}

/** Raised when a chain can't be made; names the command and what it said. */
export class ChainMakeError extends Error {
  override readonly name = 'ChainMakeError';
}
