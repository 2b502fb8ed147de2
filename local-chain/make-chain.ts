/** Makes a stand-in chain for a fleet: a home for each node, one genesis, and our validator's key beside them. */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { appConfigText, configText } from './config-text.ts';
import { emptyValidatorState } from './file-signer.ts';
import { blockSecondsMax, blockSecondsMin, genesisText } from './genesis.ts';
import { newKeyPair, nodeIdOf, nodeKeyText, validatorKeyText } from './keys.ts';

const port = z.number().int().min(1).max(65_535);

const nodeSpecs = z
  .array(
    z.strictObject({
      name: z.string().regex(/^[a-z0-9-]{1,32}$/, 'must be 1 to 32 of a-z, 0-9 and -'),
      p2pPort: port,
      rpcPort: port,
      /** For people: every node of the fleet has the same files. */
      validator: z.boolean(),
    }),
  )
  .min(1)
  .refine((nodes) => new Set(nodes.map(({ name }) => name)).size === nodes.length, 'two nodes have one name')
  .refine(
    (nodes) => new Set(nodes.flatMap((node) => [node.p2pPort, node.rpcPort])).size === 2 * nodes.length,
    'a port is named twice',
  );

const makeRequest = z.object({
  out: z.string().min(1),
  chainId: z.string().regex(/^[A-Za-z0-9._-]{1,50}$/, 'must be 1 to 50 letters, digits, ., _ and -'),
  blockSeconds: z.number().min(blockSecondsMin).max(blockSecondsMax),
  nodes: nodeSpecs,
});

export interface MadeStandIn {
  standIn: true;
  chainId: string;
  /** Our validator's `priv_validator_key.json`, in none of the homes. */
  keyFile: string;
  homes: Record<string, { home: string; nodeId: string }>;
}

export class MakeError extends Error {
  override readonly name = 'MakeError';
}

/** @throws MakeError where the request can't be met; nothing is written then. */
export function makeChain(request: unknown, now: Date): MadeStandIn {
  const parsed = makeRequest.safeParse(request);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new MakeError(`no chain was made: ${faults.join('; ')}`);
  }
  const { chainId, blockSeconds, nodes } = parsed.data;
  const out = resolve(parsed.data.out);
  if (existsSync(out) && readdirSync(out).length > 0) {
    throw new MakeError(`no chain was made: ${out} is not empty; name another folder, or remove it`);
  }
  const keyFolder = join(out, 'validator-key');
  const keyFile = join(keyFolder, 'priv_validator_key.json');
  const network = join(out, 'network');
  const validatorKey = newKeyPair();
  const genesis = genesisText({ chainId, blockSeconds, network, validatorKey, time: now.getTime() });

  mkdirSync(network, { recursive: true });
  mkdirSync(keyFolder, { mode: 0o700 });
  writeFileSync(keyFile, validatorKeyText(validatorKey), { mode: 0o600 });
  const homes: MadeStandIn['homes'] = {};
  for (const { name, p2pPort, rpcPort } of nodes) {
    const home = join(out, name);
    const nodeKey = newKeyPair();
    const write = (path: string, text: string, mode = 0o644) =>
      writeFileSync(join(home, path), text, { mode });
    for (const folder of ['config', 'data']) mkdirSync(join(home, folder), { recursive: true });
    write('config/genesis.json', genesis);
    write('config/node_key.json', nodeKeyText(nodeKey), 0o600);
    write('data/priv_validator_state.json', emptyValidatorState, 0o600);
    write(
      'config/config.toml',
      configText({
        moniker: name,
        'rpc.laddr': `tcp://127.0.0.1:${rpcPort}`,
        'p2p.laddr': `tcp://127.0.0.1:${p2pPort}`,
        'consensus.timeout_commit': `${Math.round(blockSeconds * 1000)}ms`,
      }),
    );
    write('config/app.toml', appConfigText({}));
    homes[name] = { home, nodeId: nodeIdOf(nodeKey.publicKey) };
  }
  return { standIn: true, chainId, keyFile, homes };
}
