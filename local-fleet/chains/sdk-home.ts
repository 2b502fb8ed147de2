/** The files of a Cosmos SDK node's home that a made chain reads and changes. */

import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, patch } from '@decimalturn/toml-patch';
import * as z from 'zod';
import { ChainMakeError } from './chain.ts';

const nodeKeyFile = z.object({
  priv_key: z.object({ type: z.literal('tendermint/PrivKeyEd25519'), value: z.base64() }),
});

const validatorKeyFile = z.object({
  pub_key: z.object({ type: z.literal('tendermint/PubKeyEd25519'), value: z.base64() }),
});

const tomlFile = z.record(z.string(), z.unknown());
const tomlTable = z.record(z.string(), z.unknown());

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8'));
}

/** A node's p2p id: the address of the key in its node_key.json (CometBFT `p2p/key.go`). */
export async function nodeIdOf(home: string): Promise<string> {
  const { priv_key } = nodeKeyFile.parse(await readJson(join(home, 'config/node_key.json')));
  const publicKey = Buffer.from(priv_key.value, 'base64').subarray(32);
  return createHash('sha256').update(publicKey).digest('hex').slice(0, 40);
}

/** The public key in a priv_validator_key.json, as the staking module takes it. */
export async function validatorPublicKey(keyFile: string): Promise<string> {
  const { pub_key } = validatorKeyFile.parse(await readJson(keyFile));
  return JSON.stringify({ '@type': '/cosmos.crypto.ed25519.PubKey', key: pub_key.value });
}

export type TomlChanges = Record<string, Record<string, string | number | boolean>>;

/**
 * Changes settings in place, by table ('' is the file's own top); comments and all others stay.
 * @param optional tables that some versions of the chain don't have: left out there.
 */
export async function changeToml(path: string, changes: TomlChanges, optional: string[] = []): Promise<void> {
  const text = await readFile(path, 'utf8');
  const content = tomlFile.parse(parse(text));
  for (const [table, settings] of Object.entries(changes)) {
    if (table === '') {
      Object.assign(content, settings);
      continue;
    }
    const found = tomlTable.safeParse(content[table]);
    if (found.success) content[table] = { ...found.data, ...settings };
    else if (!optional.includes(table)) {
      throw new ChainMakeError(`${path} has no [${table}]: not the file of a chain that Beam knows`);
    }
  }
  await writeFile(path, patch(text, content));
}
