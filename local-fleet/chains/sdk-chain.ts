/**
 * A chain of four validators from any Cosmos SDK binary (wasmd, gaiad, …), by commands that each of them has:
 * `init`, `keys add`, `genesis add-genesis-account`, `genesis gentx`, `genesis collect-gentxs`. The first validator is ours: its
 * consensus key lies outside every home. The others run beside the fleet with key files of their own.
 */

import { chmod, copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import {
  ChainMakeError,
  type ChainMaker,
  type ChainNodeSpec,
  type MakeChainOptions,
  type OtherValidator,
} from './chain.ts';
import { initialPeers, type PeerNode } from './initial-peers.ts';
import { runCommand } from './run-command.ts';
import { setGenesisParameters } from './sdk-genesis.ts';
import { changeToml, nodeIdOf, validatorPublicKey } from './sdk-home.ts';

const otherNames = ['other-1', 'other-2', 'other-3'] as const;
/** The same for each, so that the other three are just past two thirds and go on without us. */
const stake = '1000000000';
const balance = '1000000000000';

/** What rounds take beyond timeout_commit: proposal, votes and execution, with all nodes on two cores. */
const roundOverheadMs = 300;
const timeoutCommitMsMin = 100;

const keyName = 'priv_validator_key.json';

interface Node extends ChainNodeSpec {
  home: string;
  nodeId: string;
}

/** @param binary path of the chain's binary, or its name on the PATH. */
export function sdkChain(binary: string): ChainMaker {
  const command = binary.includes('/') ? resolve(binary) : binary;
  return { make: (options) => makeSdkChain(command, options) };
}

async function makeSdkChain(binary: string, options: MakeChainOptions) {
  const { chainId, nodes, freePorts } = options;
  const out = resolve(options.out);
  checkNames(nodes);
  const run = (...args: string[]) => runCommand([binary, ...args]);
  const initialised = async (name: string, home: string) => {
    await run('init', name, '--chain-id', chainId, '--home', home);
    return home;
  };

  // The accounts' keyring and the genesis grow in a home of their own, which no node runs from.
  const accounts = await initialised('accounts', join(out, 'accounts'));
  const genesis = join(accounts, 'config/genesis.json');
  const ports = await freePorts(otherNames.length * 2);
  const [ours, others] = await Promise.all([
    Promise.all(
      nodes.map(async (spec): Promise<Node> => {
        const home = await initialised(spec.name, join(out, 'homes', spec.name));
        // `init` made a key that is nobody's: our validators sign by Beam's signer alone.
        await rm(join(home, 'config', keyName));
        return { ...spec, home, nodeId: await nodeIdOf(home) };
      }),
    ),
    Promise.all(
      otherNames.map(async (name, index): Promise<Node> => {
        const home = await initialised(name, join(out, 'homes', name));
        const [p2pPort = 0, rpcPort = 0] = ports.slice(index * 2);
        return { name, kind: 'validator', p2pPort, rpcPort, home, nodeId: await nodeIdOf(home) };
      }),
    ),
  ]);

  const denom = await setGenesisParameters(genesis);
  await addValidators(run, accounts, chainId, denom, [
    { name: 'ours', keyFile: join(accounts, 'config', keyName), nodeId: ours[0]?.nodeId ?? '' },
    ...others.map(({ name, home, nodeId }) => ({ name, keyFile: join(home, 'config', keyName), nodeId })),
  ]);

  // Only now: each of the commands above makes a new key where it finds none.
  const consensusKeyFile = join(out, 'keys', keyName);
  await mkdir(join(out, 'keys'), { recursive: true, mode: 0o700 });
  await rename(join(accounts, 'config', keyName), consensusKeyFile);
  await chmod(consensusKeyFile, 0o600);

  const peers = initialPeers([
    ...ours.map((node) => peerNode(node, node.kind)),
    ...others.map((node) => peerNode(node, 'outside')),
  ]);
  await Promise.all(
    [...ours, ...others].map(async (node) => {
      await copyFile(genesis, join(node.home, 'config/genesis.json'));
      await configure(node, peers[node.name] ?? '', options.blockSeconds, denom);
    }),
  );

  const startArguments = ['--minimum-gas-prices', `0${denom}`];
  return {
    name: basename(binary),
    standIn: false,
    binary: [binary],
    startArguments,
    chainId,
    consensusKeyFile,
    homes: Object.fromEntries(ours.map(({ name, home, nodeId }) => [name, { home, nodeId }])),
    others: others.map(
      ({ name, home, nodeId, rpcPort, p2pPort }): OtherValidator => ({
        name,
        command: [binary, 'start', '--home', home, ...startArguments],
        rpc: `http://127.0.0.1:${rpcPort}`,
        p2p: `127.0.0.1:${p2pPort}`,
        nodeId,
      }),
    ),
  };
}

function checkNames(nodes: readonly ChainNodeSpec[]): void {
  const taken = new Set<string>(otherNames);
  for (const { name } of nodes) {
    if (taken.has(name))
      throw new ChainMakeError(`two nodes of the chain are named ${name}; rename one of the fleet's`);
    taken.add(name);
  }
  if (!nodes.some(({ kind }) => kind === 'validator')) {
    throw new ChainMakeError('the fleet has no validator: give at least one node of that kind');
  }
}

interface GenesisValidator {
  name: string;
  keyFile: string;
  nodeId: string;
}

/** Gives each validator an account in the keyring of `home`, and its stake in the genesis there. */
async function addValidators(
  run: (...args: string[]) => Promise<string>,
  home: string,
  chainId: string,
  denom: string,
  validators: readonly GenesisValidator[],
): Promise<void> {
  // SDK 0.47 moved these commands under `genesis`.
  const genesis = await run('genesis', '--help', '--home', home).then(
    (help) => (help.includes('collect-gentxs') ? ['genesis'] : []),
    () => [],
  );
  const keyring = ['--keyring-backend', 'test', '--home', home];
  const gentxs = join(home, 'config/gentx');
  await mkdir(gentxs, { recursive: true });
  await Promise.all(validators.map(({ name }) => run('keys', 'add', name, ...keyring)));
  // Each writes the genesis: one after the other.
  for (const { name } of validators) {
    await run(...genesis, 'add-genesis-account', name, `${balance}${denom}`, ...keyring);
  }
  await Promise.all(
    validators.map(async ({ name, keyFile, nodeId }) =>
      run(
        ...genesis,
        'gentx',
        name,
        `${stake}${denom}`,
        ...['--chain-id', chainId],
        ...['--moniker', name],
        ...['--pubkey', await validatorPublicKey(keyFile)],
        ...['--node-id', nodeId],
        ...['--ip', '127.0.0.1'],
        ...['--output-document', join(gentxs, `gentx-${name}.json`)],
        ...keyring,
      ),
    ),
  );
  await run(...genesis, 'collect-gentxs', '--gentx-dir', gentxs, '--home', home);
}

function peerNode({ name, nodeId, p2pPort }: Node, kind: PeerNode['kind']): PeerNode {
  return { name, kind, address: `${nodeId}@127.0.0.1:${p2pPort}` };
}

async function configure(node: Node, peers: string, blockSeconds: number, denom: string): Promise<void> {
  const timeoutCommitMs = Math.max(timeoutCommitMsMin, Math.round(blockSeconds * 1000) - roundOverheadMs);
  await changeToml(join(node.home, 'config/config.toml'), {
    p2p: {
      laddr: `tcp://127.0.0.1:${node.p2pPort}`,
      persistent_peers: peers,
      // All nodes are on loopback addresses.
      addr_book_strict: false,
      allow_duplicate_ip: true,
    },
    rpc: { laddr: `tcp://127.0.0.1:${node.rpcPort}`, pprof_laddr: '' },
    consensus: { timeout_commit: `${timeoutCommitMs}ms`, double_sign_check_height: 0 },
  });
  await changeToml(
    join(node.home, 'config/app.toml'),
    {
      '': { 'minimum-gas-prices': `0${denom}` },
      api: { enable: false },
      grpc: { enable: false },
      'grpc-web': { enable: false },
    },
    ['grpc-web'],
  );
}
