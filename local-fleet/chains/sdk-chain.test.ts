import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ChainNodeSpec } from './chain.ts';
import { sdkChain } from './sdk-chain.ts';
import { setGenesisParameters } from './sdk-genesis.ts';
import { changeToml, nodeIdOf } from './sdk-home.ts';
import { standInChain } from './stand-in.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'beam-chain-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const validator: ChainNodeSpec = { name: 'a', kind: 'validator', p2pPort: 1, rpcPort: 2 };
const make = { chainId: 'test-1', blockSeconds: 2, freePorts: async (count: number) => Array(count).fill(3) };

test('a binary that is not there is named, with what to do', async () => {
  const chain = sdkChain(join(folder, 'no-gaiad'));
  await expect(chain.make({ ...make, out: join(folder, 'out'), nodes: [validator] })).rejects.toThrow(
    /no-gaiad init accounts .*: there is no such file; give the path of a chain binary/,
  );
});

test("a failed command is named with the command's own words", async () => {
  await expect(
    standInChain(join(folder, 'none.js')).make({ ...make, out: folder, nodes: [validator] }),
  ).rejects.toThrow(/none\.js make --out .*Cannot find module/s);
});

test('names that clash with the other validators, and a fleet without a validator, are refused at once', async () => {
  const chain = sdkChain('gaiad');
  const nodes = [validator, { ...validator, name: 'other-1' }];
  await expect(chain.make({ ...make, out: folder, nodes })).rejects.toThrow('named other-1');
  await expect(
    chain.make({ ...make, out: folder, nodes: [{ ...validator, kind: 'sentry' }] }),
  ).rejects.toThrow('no validator');
});

test('settings are changed in place: comments and other keys stay', async () => {
  const path = join(folder, 'config.toml');
  await writeFile(path, '# top\nmoniker = "a"\n\n[rpc]\n# listen\nladdr = "tcp://0.0.0.0:26657"\nmax = 3\n');
  await changeToml(
    path,
    { '': { moniker: 'b' }, rpc: { laddr: 'tcp://127.0.0.1:1' }, 'grpc-web': { enable: false } },
    ['grpc-web'],
  );
  expect(await readFile(path, 'utf8')).toBe(
    '# top\nmoniker = "b"\n\n[rpc]\n# listen\nladdr = "tcp://127.0.0.1:1"\nmax = 3\n',
  );
  await expect(changeToml(path, { p2p: { laddr: '' } })).rejects.toThrow(/config\.toml has no \[p2p\]/);
});

test("a node's id is the address of its key", async () => {
  await mkdir(join(folder, 'config'));
  // A key thrown away, made by `wasmd init`; the id is what `wasmd comet show-node-id` says of it.
  const value = 'Nj+i+IAZ2rAChw8ey0AQI1phDdb8icEVB0zzNUUReSFqgVPRVcgXpbBLwoFtzR8/PGCZlRitg7hjlqw/X2bkTw==';
  await writeFile(
    join(folder, 'config/node_key.json'),
    JSON.stringify({ priv_key: { type: 'tendermint/PrivKeyEd25519', value } }),
  );
  expect(await nodeIdOf(folder)).toBe('15a62a538de47bfaf14aa6e414ff8cc2acee8e53');
});

test('the genesis gets parameters for rehearsals, as far as its gov module knows them', async () => {
  const path = join(folder, 'genesis.json');
  const genesis = (gov: unknown) => ({
    chain_id: 'test-1',
    app_state: {
      staking: { params: { bond_denom: 'uatom', max_validators: 100 } },
      slashing: { params: { signed_blocks_window: '100', min_signed_per_window: '0.5' } },
      gov,
    },
  });
  await writeFile(
    path,
    JSON.stringify(genesis({ params: { voting_period: '172800s', min_deposit: [], quorum: '0.3' } })),
  );
  expect(await setGenesisParameters(path)).toBe('uatom');
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
    chain_id: 'test-1',
    app_state: {
      staking: { params: { bond_denom: 'uatom', max_validators: 100 } },
      slashing: { params: { signed_blocks_window: '10000', min_signed_per_window: '0.5' } },
      gov: {
        params: { voting_period: '30s', min_deposit: [{ denom: 'uatom', amount: '1000000' }], quorum: '0.3' },
      },
    },
  });
  await writeFile(path, JSON.stringify(genesis({ params: null, voting_params: {} })));
  expect(await setGenesisParameters(path)).toBe('uatom');
});
