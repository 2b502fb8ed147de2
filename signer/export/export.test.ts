import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { openDynamo } from '../../local-cloud/dynamodb/server.ts';
import { roundMax } from '../../protocol/sign-position.ts';
import { sealedEpoch, sealedHolder } from '../../protocol/sign-record.ts';
import { StateInUseError } from '../disk/state-lock.ts';
import { enrol, join as joinRecord } from '../enrol.ts';
import { keyFileText, signingKeyOf } from '../keys/key-material.ts';
import { readKeyMaterial } from '../keys/open.ts';
import { Bench, rawPublicKey, stateOf, until } from '../rehearsal/bench.ts';
import { chainId } from '../rehearsal/requests.ts';
import { exportKey } from './export.ts';

const root = mkdtempSync(join(tmpdir(), 'beam-export-'));
const bench = new Bench();
beforeAll(() =>
  bench.start((dir) => openDynamo(dir, { tables: [{ name: 'beam-sign', partitionKey: 'key' }] })),
);
afterEach(() => bench.clear());
afterAll(async () => {
  await bench.stop();
  rmSync(root, { recursive: true });
});

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const publicKeyIn = (path: string) => signingKeyOf(readKeyMaterial(path, undefined)).publicKey;
const modeOf = (path: string) => statSync(path).mode & 0o777;

/** A fleet of one that has signed up to height 2. */
async function signing() {
  const home = bench.makeHome('a');
  await enrol({ home, guard: 'record', chainNotStarted: true });
  const node = bench.startNode(home);
  const signer = await bench.startSigner(home);
  await bench.grantTo('demo_a');
  await until(stateOf(signer, 'active'), 'the claim');
  expect(await node.settled({ height: 2, step: 3 })).toBe('signed');
  return { home, node, signer };
}

test('an export seals the record under the running signer, and writes state and key for FilePV', async () => {
  const { home, node, signer } = await signing();
  const out = join(root, 'one');
  const given = { home, out, tool: 'filepv' as const };
  await expect(exportKey({ ...given, confirm: async () => false })).rejects.toThrow(/not confirmed/);
  expect(await node.settled({ height: 3, step: 2 })).toBe('signed');

  const { floor, seal } = await exportKey(given);
  expect({ floor, seal }).toEqual({ floor: { height: 3, round: roundMax, step: 3 }, seal: 'open' });
  expect(await bench.record()).toMatchObject({
    epoch: { N: String(sealedEpoch) },
    holder: { S: sealedHolder },
    height: { N: '3' },
  });
  expect(await node.settled({ height: 4, step: 2 })).toBe('sealed');
  await bench.grantTo('demo_a');
  expect(await node.settled({ height: 3, step: 2 })).toBe('sealed');
  expect(signer.status()).toMatchObject({ state: 'refusing', code: 'sealed' });

  // As privval/file.go reads it: the position is refused, for it has no sign bytes.
  const state = join(out, 'priv_validator_state.json');
  expect(json(state)).toEqual({ height: '3', round: roundMax, step: 3 });
  const key = join(out, 'priv_validator_key.json');
  expect(json(key)).toEqual(json(join(home, 'signer/priv_validator_key.json')));
  expect(Buffer.from(publicKeyIn(key))).toEqual(rawPublicKey);
  expect([modeOf(out), modeOf(state), modeOf(key)]).toEqual([0o700, 0o600, 0o600]);

  expect(await exportKey(given)).toMatchObject({ seal: 'ours', floor });
  // The first tool may sign by now: a state made again for another one would be below what it signed.
  await expect(exportKey({ ...given, tool: 'tmkms' })).rejects.toThrow(/whose tool may sign by now/);
  await expect(joinRecord({ home: bench.makeHome('b') })).rejects.toThrow(/was sealed/);
  await expect(enrol({ home: bench.makeHome('b'), guard: 'record', chainNotStarted: true })).rejects.toThrow(
    /was sealed/,
  );

  // To export it again is to export it to a second tool: the first one must be silent for ten blocks.
  bench.chain.height = 100;
  bench.chain.blocksALook = 12;
  for (let height = 1; height < 200; height++) bench.chain.signed.add(height);
  const again = { ...given, out: join(root, 'two'), tool: 'tmkms' as const };
  await expect(exportKey(again)).rejects.toThrow(/another signer signs with this key/);
  bench.chain.signed.clear();
  // Broken off before its key: the state that it wrote is out of date when it goes on, for the first tool may sign.
  const inTheWay = join(again.out, 'priv_validator_key.json.tmp');
  mkdirSync(inTheWay);
  await expect(exportKey(again)).rejects.toThrow();
  const early = Number(json(join(again.out, `${chainId}-consensus.json`)).height);
  rmdirSync(inTheWay);
  bench.chain.height += 500;
  const second = await exportKey(again);
  expect(second.floor?.height).toBeGreaterThan(early + 500);
  expect(second).toMatchObject({ seal: 'other', fromChain: true });
  expect(second.floor?.height).toBeGreaterThan(bench.chain.height - 24);
  expect(json(join(root, `two/${chainId}-consensus.json`))).toEqual({
    height: String(second.floor?.height),
    round: String(roundMax),
    step: 3,
    block_id: null,
  });
}, 60_000);

test('broken off at any step, an export goes on in its folder, and writes no key before its state', async () => {
  const { home, node } = await signing();
  const out = join(root, 'broken');
  const given = { home, out, tool: 'filepv' as const };
  const key = join(out, 'priv_validator_key.json');

  // Before the seal.
  const cut = exportKey({
    ...given,
    confirm: async () => {
      bench.dynamoUp = false;
      return true;
    },
  });
  await expect(cut).rejects.toThrow(/run this again/);
  bench.dynamoUp = true;
  expect(await node.settled({ height: 3, step: 2 })).toBe('signed');
  // After the seal: a folder stands in the way of the state, then of the key.
  for (const name of ['priv_validator_state.json', 'priv_validator_key.json']) {
    mkdirSync(join(out, `${name}.tmp`));
    await expect(exportKey(given)).rejects.toThrow();
    expect(() => statSync(key)).toThrow(/ENOENT/);
    rmdirSync(join(out, `${name}.tmp`));
    expect(await node.settled({ height: 4, step: 2 })).toBe('sealed');
  }
  const { floor, seal } = await exportKey(given);
  expect({ height: floor?.height, seal }).toEqual({ height: 3, seal: 'ours' });
  expect(modeOf(key)).toBe(0o600);
}, 60_000);

test('under the local guard the state is sealed, with the signer stopped; nothing of anybody’s is overwritten', async () => {
  const home = bench.makeHome('a', false);
  await enrol({ home, guard: 'local', chainNotStarted: true });
  const node = bench.startNode(home);
  await bench.startSigner(home);
  expect(await node.settled({ height: 2, step: 3 })).toBe('signed');
  const out = join(root, 'local');
  const given = { home, out, tool: 'horcrux' as const };
  await expect(exportKey(given)).rejects.toThrow(StateInUseError);
  await bench.stopLast();
  node.socket = undefined;

  mkdirSync(out);
  const inTheWay = join(out, 'priv_validator_key.json');
  writeFileSync(inTheWay, 'another');
  await expect(exportKey(given)).rejects.toThrow(/nothing is overwritten/);
  expect(readFileSync(inTheWay, 'utf8')).toBe('another');
  rmSync(inTheWay);

  expect(await exportKey(given)).toMatchObject({ seal: 'open', floor: { height: 2 } });
  for (const name of ['priv_validator_state', 'share_sign_state']) {
    expect(json(join(out, `${chainId}_${name}.json`))).toMatchObject({
      height: '2',
      round: String(roundMax),
    });
  }
  const signer = await bench.startSigner(home);
  expect(await node.settled({ height: 3, step: 2 })).toBe('sealed');
  expect(signer.status()).toMatchObject({ state: 'refusing', code: 'sealed' });
}, 60_000);

test('a key without its seed stays: its state alone is exported', async () => {
  const home = bench.makeHome('a', false);
  await enrol({ home, guard: 'local', chainNotStarted: true });
  const keyFile = join(home, 'signer/priv_validator_key.json');
  const expanded = { kind: 'expanded', key: { scalar: 7n, prefix: new Uint8Array(32) } } as const;
  writeFileSync(keyFile, keyFileText(expanded));
  const state = join(home, 'signer/state/state.json');
  const publicKey = Buffer.from(publicKeyIn(keyFile)).toString('base64');
  writeFileSync(state, JSON.stringify({ ...json(state), publicKey }));
  const given = { home, out: join(root, 'expanded'), tool: 'filepv' as const };
  await expect(exportKey(given)).rejects.toThrow(/--state-only/);
  expect(json(state).bar).toBeUndefined();
  expect(await exportKey({ ...given, stateOnly: true })).toMatchObject({ seal: 'open' });
  expect(() => statSync(join(root, 'expanded/priv_validator_key.json'))).toThrow(/ENOENT/);
});
