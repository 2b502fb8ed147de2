/**
 * `config/genesis.json` in the Cosmos SDK's shape. What a stand-in chain needs beyond it is in `app_state.stand_in`:
 * the time from block to block, the folder that plays the network, and the other validators' seeds.
 */

import { createHash, randomBytes } from 'node:crypto';
import { isAbsolute } from 'node:path';
import * as z from 'zod';
import { addressOf, type KeyPair, keyPairFromSeed, publicKeyJson, publicKeyText } from './keys.ts';

export const blockSecondsMin = 0.5;
export const blockSecondsMax = 10;
/** Each validator's share. Three others of equal power are more than two thirds: the chain goes on without ours. */
const powerOfEach = '10';
const othersCount = 3;

const genesisValidator = z.object({
  address: z.string(),
  pub_key: publicKeyJson,
  power: z.string().regex(/^\d+$/).transform(Number),
  name: z.string(),
});

const standInState = z.object({
  block_seconds: z.number().min(blockSecondsMin).max(blockSecondsMax),
  network: z.string().refine(isAbsolute, 'must be an absolute path'),
  other_validator_seeds: z.array(z.string().regex(/^[0-9a-f]{64}$/)).min(1),
});

const genesisFile = z.looseObject({
  genesis_time: z.iso.datetime({ offset: true }),
  chain_id: z.string().min(1).max(50),
  initial_height: z.coerce.number().int().min(1),
  consensus: z.object({
    validators: z.array(genesisValidator).min(1),
    params: z.record(z.string(), z.json()),
  }),
  app_state: z.looseObject({ stand_in: standInState }),
});

/** What a node takes from genesis. */
export interface Genesis {
  chainId: string;
  /** ms */
  time: number;
  initialHeight: number;
  blockMs: number;
  network: string;
  validators: GenesisValidator[];
  /** The simulated ones' keys, by address. */
  others: ReadonlyMap<string, KeyPair>;
  consensusParams: Record<string, unknown>;
  /** As CometBFT's RPC shows it. */
  document: Record<string, unknown>;
}

export interface GenesisValidator {
  address: string;
  publicKey: Buffer;
  power: number;
  name: string;
}

/** @throws ZodError where the file is no stand-in's genesis. */
export function parseGenesis(value: unknown): Genesis {
  const file = genesisFile.parse(value);
  const { consensus, app_state, initial_height, genesis_time, chain_id } = file;
  const others = new Map(
    app_state.stand_in.other_validator_seeds.map((seed) => {
      const key = keyPairFromSeed(Buffer.from(seed, 'hex'));
      return [addressOf(key.publicKey), key];
    }),
  );
  return {
    chainId: chain_id,
    time: Date.parse(genesis_time),
    initialHeight: initial_height,
    blockMs: app_state.stand_in.block_seconds * 1000,
    network: app_state.stand_in.network,
    validators: consensus.validators
      .map(({ address, pub_key, power, name }) => ({ address, publicKey: pub_key.value, power, name }))
      .sort((a, b) => (a.address < b.address ? -1 : 1)),
    others,
    consensusParams: consensus.params,
    document: {
      genesis_time,
      chain_id,
      initial_height: String(initial_height),
      consensus_params: consensus.params,
      validators: consensus.validators.map(({ pub_key, power, ...rest }) => ({
        ...rest,
        pub_key: publicKeyText(pub_key.value),
        power: String(power),
      })),
      app_hash: '',
      app_state,
    },
  };
}

export interface NewGenesis {
  chainId: string;
  blockSeconds: number;
  /** Absolute path of the folder that plays the network. */
  network: string;
  validatorKey: KeyPair;
  /** ms */
  time: number;
}

export function genesisText({ chainId, blockSeconds, network, validatorKey, time }: NewGenesis): string {
  const salt = randomBytes(16);
  const seeds = Array.from({ length: othersCount }, (_, index) =>
    createHash('sha256').update(salt).update(`${chainId}/${index}`).digest(),
  );
  const validator = (publicKey: Buffer, name: string) => ({
    address: addressOf(publicKey),
    pub_key: publicKeyText(publicKey),
    power: powerOfEach,
    name,
  });
  const genesis = {
    app_name: 'stand-in',
    app_version: '',
    genesis_time: new Date(time).toISOString(),
    chain_id: chainId,
    initial_height: 1,
    app_hash: null,
    app_state: {
      stand_in: {
        block_seconds: blockSeconds,
        network,
        other_validator_seeds: seeds.map((seed) => seed.toString('hex')),
      },
    },
    consensus: {
      validators: [
        validator(validatorKey.publicKey, 'ours'),
        ...seeds.map((seed, index) =>
          validator(keyPairFromSeed(seed).publicKey, `stand-in-simulated-${index + 1}`),
        ),
      ],
      params: {
        block: { max_bytes: '22020096', max_gas: '-1' },
        evidence: { max_age_num_blocks: '100000', max_age_duration: '172800000000000', max_bytes: '1048576' },
        validator: { pub_key_types: ['ed25519'] },
        version: { app: '0' },
        abci: { vote_extensions_enable_height: '0' },
      },
    },
  };
  return `${JSON.stringify(genesis, undefined, 2)}\n`;
}
