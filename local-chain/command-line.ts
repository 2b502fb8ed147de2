/** The stand-in's commands, those of a Cosmos SDK chain's binary that a pilot or an operator needs. */

import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeIdOf, nodeKeyFile, validatorKeyFile } from './keys.ts';
import { createLog } from './log.ts';
import { makeChain } from './make-chain.ts';
import { StandInNode } from './node.ts';
import { type ConfigFlags, loadNodeConfig } from './node-config.ts';
import { standInSentence, standInVersion } from './version.ts';

const help = `${standInSentence}.

Usage: stand-in-chain <command> [options]

  start --home DIR            run a node; config.toml and app.toml as gaiad's
  make --out DIR --chain-id ID --nodes JSON [--block-seconds 2] [--json]
                              make a chain: a home for each of
                              [{"name","p2pPort","rpcPort","validator"}, ...]
  status [--home DIR | --node URL]
                              what a running node says of itself, as JSON
  comet show-node-id --home DIR       (also: tendermint show-node-id)
  comet show-validator --home DIR     public key of the key file in the home
  version [--long]

'start' takes settings of config.toml and app.toml as flags, such as
--p2p.laddr, --rpc.laddr, --p2p.persistent_peers, --priv_validator_laddr,
--moniker, --log_level, --log_format, --minimum-gas-prices, --halt-height.
`;

/** A command line that can't be carried out; the process ends with code 1, as cobra's do. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Flags of `start` that stand above the files, by the setting that they set. */
const startFlags = [
  'moniker',
  'priv_validator_laddr',
  'log_level',
  'log_format',
  'rpc.laddr',
  'p2p.laddr',
  'p2p.persistent_peers',
  'p2p.seeds',
  'p2p.pex',
  'p2p.external-address',
  'consensus.double_sign_check_height',
  'minimum-gas-prices',
  'pruning',
  'halt-height',
] as const;

interface Options {
  values: Record<string, string | boolean | undefined>;
  positionals: string[];
}

function parse(args: string[], strings: readonly string[], booleans: readonly string[] = []): Options {
  const options = {
    ...Object.fromEntries(strings.map((name) => [name, { type: 'string' as const }])),
    ...Object.fromEntries(booleans.map((name) => [name, { type: 'boolean' as const }])),
  };
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true, strict: true });
    return { values: { ...values } as Options['values'], positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

const textOf = (value: string | boolean | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined;

function required(values: Options['values'], name: string): string {
  const value = textOf(values[name]);
  if (value === undefined) throw new UsageError(`--${name} is missing; see stand-in-chain --help`);
  return value;
}

function homeOf(values: Options['values']): string {
  return resolve(textOf(values.home) ?? join(homedir(), '.stand-in-chain'));
}

async function start(args: string[]): Promise<void> {
  const { values } = parse(args, ['home', ...startFlags], ['trace', 'log_no_color']);
  const home = homeOf(values);
  const flags: ConfigFlags = Object.fromEntries(
    startFlags.flatMap((name) => {
      const value = textOf(values[name]);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const config = loadNodeConfig(home, flags);
  const log = createLog({
    level: config.logLevel,
    format: config.logFormat,
    now: () => new Date(),
    write: (line) => process.stdout.write(line),
  });
  const node = new StandInNode({ home, config, log, now: Date.now });
  const end = (code: number) => {
    void node.stop().finally(() => process.exit(code));
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info('ending', { signal });
      end(0);
    });
  }
  await node.start((error) => {
    process.stderr.write(`Error: ${error instanceof Error ? error.message : String(error)}\n`);
    end(1);
  });
}

function make(args: string[]): void {
  const { values } = parse(args, ['out', 'chain-id', 'block-seconds', 'nodes'], ['json']);
  const nodesText = required(values, 'nodes');
  let nodes: unknown;
  try {
    nodes = JSON.parse(nodesText);
  } catch (error) {
    throw new UsageError(`--nodes is no JSON: ${nodesText}`, { cause: error });
  }
  const made = makeChain(
    {
      out: required(values, 'out'),
      chainId: required(values, 'chain-id'),
      blockSeconds: Number(textOf(values['block-seconds']) ?? 2),
      nodes,
    },
    new Date(),
  );
  if (values.json) {
    process.stdout.write(`${JSON.stringify(made)}\n`);
    return;
  }
  const homes = Object.values(made.homes).map(({ home, nodeId }) => `  ${home} (node id ${nodeId})\n`);
  process.stdout.write(
    `Made ${made.chainId}, a stand-in chain. Homes:\n${homes.join('')}Key of our validator, for its signer alone:\n  ${made.keyFile}\n`,
  );
}

async function status(args: string[]): Promise<void> {
  const { values } = parse(args, ['home', 'node']);
  const rpc = textOf(values.node) ? undefined : loadNodeConfig(homeOf(values)).rpc;
  const url = (
    textOf(values.node) ?? (rpc?.kind === 'tcp' ? `http://${rpc.host || '127.0.0.1'}:${rpc.port}` : '')
  ).replace(/^tcp:/, 'http:');
  if (url === '') throw new UsageError('this node has no RPC address; name one with --node tcp://host:port');
  let body: unknown;
  try {
    body = await (await fetch(`${url}/status`, { signal: AbortSignal.timeout(5_000) })).json();
  } catch (error) {
    throw new UsageError(`no node answers at ${url}; is it started?`, { cause: error });
  }
  const result = body !== null && typeof body === 'object' && 'result' in body ? body.result : body;
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

function comet(args: string[]): void {
  const { values, positionals } = parse(args, ['home']);
  const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
  if (positionals[0] === 'show-node-id') {
    const key = nodeKeyFile.parse(read(loadNodeConfig(homeOf(values)).nodeKeyFile));
    process.stdout.write(`${nodeIdOf(key.publicKey)}\n`);
  } else if (positionals[0] === 'show-validator') {
    const key = validatorKeyFile.parse(read(loadNodeConfig(homeOf(values)).validatorKeyFile));
    const shown = { '@type': '/cosmos.crypto.ed25519.PubKey', key: key.publicKey.toString('base64') };
    process.stdout.write(`${JSON.stringify(shown)}\n`);
  } else {
    throw new UsageError(
      `the stand-in has show-node-id and show-validator here, not '${positionals[0] ?? ''}'`,
    );
  }
}

/** @throws what the caller prints behind `Error: `, with code 1 */
export async function runCommand(args: string[]): Promise<void> {
  const [command, ...rest] = args;
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(help);
    return;
  }
  switch (command) {
    case 'start':
      return start(rest);
    case 'make':
      return make(rest);
    case 'status':
      return status(rest);
    case 'comet':
    case 'tendermint':
    case 'cometbft':
      return comet(rest);
    case 'version': {
      const { values } = parse(rest, ['home', 'output'], ['long']);
      const long = {
        name: 'stand-in',
        server_name: 'stand-in-chain',
        version: standInVersion,
        note: standInSentence,
      };
      process.stdout.write(values.long ? `${JSON.stringify(long)}\n` : `${standInVersion}\n`);
      return;
    }
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(help);
      return;
    default:
      throw new UsageError(`unknown command "${command}" for the stand-in; see stand-in-chain --help`);
  }
}
